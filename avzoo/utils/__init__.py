"""Helpers that belong to no single concern. Importing this package brings in no torch."""
