"""How large and how fast a method is: parameters, operations, and what `benchmark.py` measures."""
