"""Backups of one corpus' state, and their restoration. The audio files themselves are not part of a backup."""
