"""Delta tables of governed datasets."""
