"""The demo: a sample corpus of real music, simulated listeners, and a run of the whole pipeline."""
