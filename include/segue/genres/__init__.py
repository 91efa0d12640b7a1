"""The genre model: search, judging, release, predictions and report."""
