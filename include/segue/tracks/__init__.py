"""The collection `tracks`: the form of its documents, which `corpus` writes and `models` read."""
