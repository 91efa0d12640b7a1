"""Evaluate rankings: windows in time, metrics of rankings, and of the score as a classifier."""
