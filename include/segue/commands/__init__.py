"""The commands behind ``segue``, one module each; heavy imports stay inside the functions."""
