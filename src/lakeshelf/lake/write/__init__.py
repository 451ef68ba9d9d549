"""How rows are written: each write is one commit or none."""
