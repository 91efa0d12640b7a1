"""How rankings are judged: windows, metrics and comparisons with baselines."""
