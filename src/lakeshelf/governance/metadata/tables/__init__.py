"""What is remembered: a frozen record a table; whoever imports one has them all, as foreign keys need it."""

from lakeshelf.governance.metadata.tables import (
    acts,
    datasets,
    events,
    people,
    projects,
    requests,
    reviews,
    work,
)

__all__ = ["acts", "datasets", "events", "people", "projects", "requests", "reviews", "work"]
