"""What holds for governed datasets, as pure functions over records and Arrow tables."""
