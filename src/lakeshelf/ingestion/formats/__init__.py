"""Files of each format as records, one line each."""
