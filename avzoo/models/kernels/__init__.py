"""Faster ways to compute layers: on real steps only, with oneDNN, with fewer random draws, in one kernel."""
