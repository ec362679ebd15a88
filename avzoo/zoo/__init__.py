"""The model zoo: its index, weights by name, downloads, publishing. Importing the package does not import torch."""
