"""Users, tokens, projects and their members."""
