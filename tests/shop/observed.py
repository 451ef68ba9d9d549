"""What a shop that lives tells whoever watches it, and what its runbooks have them do."""

from __future__ import annotations

import json
import re
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from lakeshelf.telemetry.metrics import METRICS, PREFIX
from tests.support import eventually
from tests.telemetry.prometheus import Prometheus
from tests.telemetry.series import series
from tests.telemetry.test_alerts import DASHBOARDS, expressions, named

RUNBOOKS = Path(__file__).parents[2] / "docs" / "runbooks.md"
MOST_SERIES = 2_000
LIVELY = (
    "query_up",
    "batches_total",
    "batch_duration_seconds",
    "source_lag_records",
    "source_lag_seconds",
    "source_partition_lag_records",
    "freshness_seconds",
    "commit_duration_seconds",
    "table_files",
    "table_bytes",
    "component_up",
    "component_due_lag_seconds",
    "clock_business_timestamp_seconds",
    "http_request_duration_seconds",
    "change_requests",
)
"""Metrics that every shop has that lives."""
NO_MODEL = "a shop of a few minutes has no model"
RARE = {
    "lakeshelf_quarantined_total": "tests/telemetry/test_living.py has records that are refused",
    "lakeshelf_reconcile_differences": "only whoever reconciles has a finding",
    "lakeshelf_lease_term": "only queries of a lake in a bucket have a lease",
    "lakeshelf_model_fallback_ratio": NO_MODEL,
    "lakeshelf_model_red_stores": NO_MODEL,
    "lakeshelf_model_handed_back_stores": NO_MODEL,
    "lakeshelf_model_age_seconds": NO_MODEL,
    "lakeshelf_certificate_expires_timestamp_seconds": "only a Kafka of others has certificates",
}
"""Series of dashboards that this shop does not have, and why."""
SHELF = "SIM-001-00001"
PLACES = {
    "TABLE": "raw/foot_traffic",
    "QUERY": "foot-traffic-raw-sink",
    "JOB": "wh-aggregator",
    "SHELF": SHELF,
}
"""What a runbook leaves open → what it is here."""
WHILE_DOWN = ("continue", "rebuild", "jobs accept-gap", "jobs run")
"""Commands that need the stack to be down, and say so."""


def pages(addresses: Mapping[str, str]) -> dict[str, str]:
    """Part → its metrics; each process is ready, and its page is bounded."""
    scraped = {}
    for part, address in addresses.items():
        with urllib.request.urlopen(f"{address}/health/ready", timeout=30) as answer:
            health = json.load(answer)
        assert (health["part"], health["ready"], health["problems"]) == (part, True, [])
        with urllib.request.urlopen(f"{address}/metrics", timeout=30) as answer:
            scraped[part] = answer.read().decode()
        assert sum(not line.startswith("#") for line in scraped[part].splitlines()) < MOST_SERIES
    return scraped


def require_declared(addresses: Mapping[str, str]) -> None:
    """What is scraped is declared, and comes from what the shop does."""
    eventually(lambda: not _missing(addresses), f"all of {', '.join(LIVELY)}")
    known = {name for metric in METRICS.values() for name in (metric.exported, *series(metric))}
    assert _ours(addresses) <= known


def _missing(addresses: Mapping[str, str]) -> set[str]:
    return {f"{PREFIX}{name}" for name in LIVELY} - _ours(addresses)


def _ours(addresses: Mapping[str, str]) -> set[str]:
    return {
        line.split(" ")[2]
        for text in pages(addresses).values()
        for line in text.splitlines()
        if line.startswith(f"# TYPE {PREFIX}") and not line.split(" ")[2].endswith("_created")
    }


def require_full_dashboards(addresses: Mapping[str, str], folder: Path) -> None:
    """Every panel of the dashboards shows something, asked as Grafana asks."""
    prometheus = Prometheus(folder, [urlsplit(address).netloc for address in addresses.values()])
    prometheus.start()
    try:
        thrice = "min(count_over_time(lakeshelf_heartbeat_timestamp_seconds[1m]))"
        eventually(
            lambda: (
                prometheus.value("count(up == 1)") == len(addresses)
                and (prometheus.value(thrice) or 0) >= 3
            ),
            "every process was scraped",
        )
        texts = (text for dashboard in DASHBOARDS for text in expressions(dashboard))
        empty = {text for text in texts if not named(text) & RARE.keys()}

        def all_shown() -> bool:
            """A process that answered too late was not scraped, and shows nothing until it is again."""
            empty.difference_update([text for text in empty if prometheus.values(text)])
            return not empty

        eventually(all_shown, "every panel shows something")
    finally:
        prometheus.end()


def of_runbooks() -> tuple[list[str], list[str]]:
    """Commands of the runbooks: those for a stack that is up, and those for one that is down."""
    texts = re.findall(r"`lakeshelf ([^`]+)`", RUNBOOKS.read_text(encoding="utf-8"))
    texts = [re.sub(r"\b[A-Z]{3,}\b", lambda name: PLACES[name[0]], text) for text in texts]
    once = dict.fromkeys(text for text in texts if text != "down")
    down = [text for text in once if text.startswith(WHILE_DOWN)]
    return [text for text in once if text not in down], down
