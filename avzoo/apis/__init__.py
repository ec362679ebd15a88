"""Checkpoints by name: the index, downloads, models ready to use, inference. Importing it brings in no torch."""
