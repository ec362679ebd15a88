"""Features and checkpoints as the authors of AV-DIFF released them: to and from the formats of avzoo."""
