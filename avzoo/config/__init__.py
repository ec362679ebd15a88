"""Configs: reading them, options of the command line, and checks before anything runs."""
