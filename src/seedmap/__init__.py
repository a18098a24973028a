"""seedmap."""
