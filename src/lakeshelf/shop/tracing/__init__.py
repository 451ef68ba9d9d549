"""The story of one thing: what its id can be, what happened to it, what was decided."""
