"""From video files to features: decoding, and frozen networks that turn frames and sound into sequences."""
