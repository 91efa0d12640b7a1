"""The genre model: dataset, search, evaluation, release, predictions and report."""
