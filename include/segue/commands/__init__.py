"""The commands of ``segue``, one module each. Functions import heavy modules only when they run."""
