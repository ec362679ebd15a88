"""Faster ways to compute what layers say: on real steps alone, by oneDNN, with fewer draws, in one kernel."""
