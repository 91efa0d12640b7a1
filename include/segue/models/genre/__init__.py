"""The genre model: which genre a track is of, from its audio features."""
