"""A corpus as a dataset for researchers: features, metadata, splits, listens without names, and versions."""
