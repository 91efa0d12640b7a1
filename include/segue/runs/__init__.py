"""What is stored of a run: the reports of its jobs, and its HTML report."""
