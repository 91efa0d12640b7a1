"""Compiled signal processing: STFT, constant-Q transform, filter banks and statistics."""
