"""Class names into vectors: word vectors and text encoders, and the files in which people have them."""
