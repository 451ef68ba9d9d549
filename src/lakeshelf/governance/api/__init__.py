"""The HTTP API over governed datasets: `/api/v1`, thin over the services (docs/design/governance.md#api)."""
