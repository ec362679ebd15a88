"""Files of weights: reading without running anything, strict loading, what must match, class rows."""
