"""Listening events: their schema and identity, the way into Kafka, and what is kept of them."""
