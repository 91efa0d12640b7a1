"""Evaluate rankings: windows, metrics and comparisons with baselines."""
