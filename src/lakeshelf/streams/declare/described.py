"""A query as OpenLineage has it: its topics and tables, by the names that others know them by."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from lakeshelf.contracts import CATALOG, Topic
from lakeshelf.streams.declare.plan import QueryPlan
from lakeshelf.telemetry.lineage import Described, QueryRun


def described(plan: QueryPlan, lake_root: Path | str, servers: str) -> QueryRun:
    """A query that starts.

    Args:
        plan: What it reads and keeps.
        lake_root: Folder or address of the lake.
        servers: Kafka, host:port[,…]; the first one names it.
    """
    kafka = f"kafka://{servers.partition(',')[0]}"
    published = sorted({name for job in plan.jobs for name in job.publishes})
    written = [_table(name, lake_root) for name in plan.tables]
    return QueryRun(
        job=plan.name,
        doc=" ".join(job.doc for job in plan.jobs),
        inputs=[_topic(topic, kafka) for topic in plan.topics],
        outputs=[*written, *(_topic(CATALOG.topics[name], kafka) for name in published)],
    )


def _topic(topic: Topic, kafka: str) -> Described:
    columns = [(field.name, str(field.type), field.doc) for field in topic.fields]
    return Described(kafka, topic.name, topic.name, topic.doc, columns)


def _table(name: str, lake_root: Path | str) -> Described:
    table = CATALOG.tables[name]
    columns = [(column.name, str(column.type), column.doc) for column in table.columns]
    if isinstance(lake_root, Path):
        return Described("file", f"{lake_root.absolute()}/{name}", name, table.doc, columns)
    bucket = urlsplit(lake_root)
    path = f"{bucket.path.strip('/')}/{name}".lstrip("/")
    return Described(f"{bucket.scheme}://{bucket.netloc}", path, name, table.doc, columns)
