"""Segue turns a music corpus into recommendations."""
