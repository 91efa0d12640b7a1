"""From a folder of music to the integrated dataset: inventory, extraction, cleaning, gate, publishing."""
