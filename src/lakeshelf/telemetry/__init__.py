"""How a process is, for those who watch it: metrics and health over HTTP (docs/observability.md)."""
