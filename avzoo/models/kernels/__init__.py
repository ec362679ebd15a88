"""How parts compute quickly what other parts say: on real steps alone, by oneDNN, in one kernel."""
