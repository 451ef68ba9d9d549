"""How rows are read: conditions, snapshots at a version, differences, sources of rows."""
