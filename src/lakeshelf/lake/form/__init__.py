"""What a table is: dataset, types, partitions, constraints, features, and what a commit says of itself."""
