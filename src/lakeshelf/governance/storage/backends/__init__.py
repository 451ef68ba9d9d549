"""Tables with versions, wherever they are stored: `StorageBackend`, and those of Delta and PostgreSQL."""
