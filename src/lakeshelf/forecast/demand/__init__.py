"""What is known of demand when a cutoff day begins: units by day, features, labels."""
