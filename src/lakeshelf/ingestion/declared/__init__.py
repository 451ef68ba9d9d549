"""What is declared of files: columns, dialect, instants."""
