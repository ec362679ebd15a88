"""From video files to features: decoding, and the frozen networks that turn frames and sound into sequences."""
