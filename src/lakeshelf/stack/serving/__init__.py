"""The API of governed datasets as a process of the stack, and what it knows of the stack."""
