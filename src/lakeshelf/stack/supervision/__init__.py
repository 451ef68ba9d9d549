"""The supervised tree: its parts, how each starts, ends and is started again."""
