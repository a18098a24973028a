"""Noise of known kinds, through real cleanings: what `verify_statistics.py` counts."""
