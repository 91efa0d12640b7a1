"""Extraction in a child process, which a damaged file may kill."""
