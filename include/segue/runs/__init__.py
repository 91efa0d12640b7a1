"""What a run leaves behind: summaries of its jobs and its HTML report."""
