"""How many change requests there are, for those who watch: by dataset and state, bounded whatever people make."""

from __future__ import annotations

from collections import Counter

from lakeshelf.governance.domain.requests.lifecycle import STATES
from lakeshelf.governance.services.context import Context
from lakeshelf.telemetry import metrics

MOST_DATASETS = 20
"""Datasets that are told one by one, the oldest; all others are one."""


def tell_requests(context: Context) -> None:
    """Tell how many change requests each dataset has in each state."""
    with context.metadata.reading() as tx:
        datasets = sorted(tx.datasets.all(), key=lambda dataset: dataset.created_at)
        counts = tx.requests.counts()
    named = {f"{one.project}/{one.id}" for one in datasets[:MOST_DATASETS]}
    tally: Counter[tuple[str, str]] = Counter()
    for (project, dataset, state), count in counts.items():
        name = f"{project}/{dataset}"
        tally[name if name in named else metrics.OTHER, state] += count
    for name in (*named, metrics.OTHER):
        for state in STATES:
            metrics.CHANGE_REQUESTS.take(tally[name, state], dataset=name, state=state)
