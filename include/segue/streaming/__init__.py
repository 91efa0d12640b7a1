"""Listening events: their schema, Kafka access, and reading them with Spark."""
