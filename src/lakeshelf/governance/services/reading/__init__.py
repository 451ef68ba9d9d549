"""What people look at: grids of rows, and what change requests would do."""
