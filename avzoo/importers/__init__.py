"""Read users' features: arrays to import, clips to classify, clips of new classes to learn."""
