"""The HTTP API: listens in and out, feedback, recommendations, accounts, health, metrics and the page."""
