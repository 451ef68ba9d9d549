"""What people ask of governed datasets, as steps in order."""
