"""What people bring: edits of a session, and rows of files."""
