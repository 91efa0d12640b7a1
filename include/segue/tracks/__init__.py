"""The collection `tracks`: the form of its documents, which the corpus writes and the models read."""
