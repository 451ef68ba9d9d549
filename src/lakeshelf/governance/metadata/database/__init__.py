"""How records become tables of SQLite and PostgreSQL, and how these are opened, written and read."""
