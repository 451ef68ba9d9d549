"""What takes longer than a call: done by threads of a process, told by its database."""
