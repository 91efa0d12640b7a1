"""Listening events: their schema and ids, how they are written to Kafka, and how they are stored."""
