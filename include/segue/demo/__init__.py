"""The demo: a sample corpus of real music, simulated listeners, and the run through everything."""
