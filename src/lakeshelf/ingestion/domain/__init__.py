"""What files and rows are and have to be. Pure: nothing here reads, writes, or looks at a clock."""
