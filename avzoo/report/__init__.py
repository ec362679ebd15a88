"""What a run found, as a page, as pictures and as tables."""
