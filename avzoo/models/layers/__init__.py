"""Building blocks that several parts share."""
