"""Playlists: those that are made for each listener every day, and those that are made on request."""
