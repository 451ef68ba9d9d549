"""What happened: change feeds with their cursors, runs and their verification, versions that are still needed."""
