"""Commands about governed datasets."""
