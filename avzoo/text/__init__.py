"""From class names to vectors: word vectors, text encoders, and the formats of their files."""
