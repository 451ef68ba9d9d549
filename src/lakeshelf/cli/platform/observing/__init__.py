"""Commands that tell how the stack is."""
