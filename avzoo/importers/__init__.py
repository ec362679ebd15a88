"""Read users' features: arrays to import, clips to classify or to learn from; and make the synthetic data set."""
