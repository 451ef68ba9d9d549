"""The embedded stack: its tool chain, its broker and its supervised processes."""
