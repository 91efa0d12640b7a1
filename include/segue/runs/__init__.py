"""Store the results of a run: the reports of its jobs, and its HTML report."""
