"""Delta without a JVM: locations, creation, commits and locks of tables."""
