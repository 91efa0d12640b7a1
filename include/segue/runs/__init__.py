"""What a run leaves behind: the reports of its jobs, and its HTML report."""
