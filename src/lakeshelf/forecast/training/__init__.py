"""Training on a lake: rows with labels at pinned versions, a trial with gates, a version, its row in `ops/models`."""
