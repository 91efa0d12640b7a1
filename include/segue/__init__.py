"""Segue: a music corpus in, recommendations out."""
