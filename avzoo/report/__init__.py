"""The results of a run as a page, as plots and as tables."""
