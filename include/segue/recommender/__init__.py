"""The recommender: training, incremental update, new tracks and report."""
