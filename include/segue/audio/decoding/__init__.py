"""Decode a file to blocks of mono samples."""
