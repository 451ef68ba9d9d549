"""What a version says of a cutoff day: predictions, the levels they are worth, and which of them can be relied on."""
