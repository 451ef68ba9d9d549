"""Makes the lake of an older commit that the tests beside it go on with, by that commit's own code.

    git worktree add --detach /tmp/before COMMIT && make -C /tmp/before setup
    cd /tmp/before && .venv/bin/python CHECKOUT/tests/upgrade/make_lake.py CHECKOUT/tests/upgrade/COMMIT.tar.xz

A small shop lives from its first day to its first delivery; a person sees to an alert and corrects a count, a record is
refused, a run and a consumer of the library write tables of their own. Then the jobs stand still while the shop goes
on, and the whole stack is killed: what is packed has records in Kafka that no table holds yet.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    OffsetSpec,
)

from lakeshelf.lake import Consumer, Lake

SHOP = ("--shelves", "6", "--seed", "3")
"""Whoever goes on with the lake says the same to `up`."""
RECEIVED = ("shelf_events", "wh_events", "pos_transactions", "foot_traffic", "lost_sales")
BACKLOG = 40
"""So many records of theirs no table has when all ends."""
FOR_EVER = ConfigEntry(
    "retention.ms",
    "-1",
    incremental_operation=AlterConfigOpType.SET,  # type: ignore[no-untyped-call]
)


def make(root: Path) -> None:
    """Let the shop live in a new lake, and kill it."""
    lakeshelf(root, "up", "--no-watch", "--speed", "1440", *SHOP)
    servers = told(root, "status")["bootstrap_servers"]
    keep_for_ever(servers)
    until(lambda: rows(root, "ops/wh_supplier_receipts") > 0, "goods came")
    take_part(root)
    send(servers, b"{")
    write_as_library(root)
    until(lambda: rows(root, "raw/quarantine") > 0, "the record was refused")
    kill(root, servers)
    lakeshelf(root, "bootstrap", allowed=(0, 1))


def keep_for_ever(servers: str) -> None:
    """No topic loses records with time: the lake is opened years later, too."""
    admin = AdminClient({"bootstrap.servers": servers})
    deleting = [name for name in admin.list_topics(timeout=10).topics if not name.startswith("_")]
    altered = admin.incremental_alter_configs(
        [
            ConfigResource(ConfigResource.Type.TOPIC, name, incremental_configs=[FOR_EVER])
            for name in deleting
        ]
    )
    for future in altered.values():
        future.result()


def take_part(root: Path) -> None:
    """See to an alert, and correct a count."""
    alert = told(root, "alerts", "list")[0]["alert_id"]
    lakeshelf(root, "alerts", "ack", alert, "--as", "ann")
    lakeshelf(root, "stock", "adjust", "SIM-001-00001", "2")
    until(lambda: rows(root, "ops/shelf_commands") > 0, "the jobs heard of the alert")


def send(servers: str, value: bytes) -> None:
    """Send an event that nobody would send."""
    producer = Producer({"bootstrap.servers": servers})
    producer.produce("shelf_events", value, b"nobody")
    producer.flush()


def write_as_library(root: Path) -> None:
    """Tables, a run and a cursor of the library."""
    lake = Lake(root, who="ann", why="stocktaking")
    for units in (12, 9):
        lake.merge("curated/counts", [{"shelf": "A1", "units": units}], keys=["shelf"])
    with lake.run("monday", why="first totals") as run:
        run.overwrite("curated/total", run.read("curated/counts", columns=["units"]).read_all())
    copy = Consumer("count-copy", output="curated/copy")
    changes = lake.changes("curated/counts", copy)
    kept = changes.rows.read_all().drop_columns(["_change_type"])
    lake.overwrite(copy.output, kept, txn=changes.txns)
    lake.merge("curated/counts", [{"shelf": "A2", "units": 4}], keys=["shelf"])


def kill(root: Path, servers: str) -> None:
    """Stop the jobs in the middle of what they do, let the shop go on, and end all at once."""
    status = told(root, "status")
    supervisor = json.loads((root / "_stack/stack.json").read_text())["pid"]
    os.kill(status["parts"]["streams"]["pid"], signal.SIGSTOP)
    before = records(servers)
    until(lambda: records(servers) >= before + BACKLOG, "the shop went on")
    pids = [part["pid"] for part in status["parts"].values()]
    for pid in (supervisor, *pids):
        os.kill(pid, signal.SIGKILL)


def records(servers: str) -> int:
    """Ends of the topics that jobs mirror, together."""
    admin = AdminClient({"bootstrap.servers": servers})
    found = admin.list_topics(timeout=10).topics
    places = [
        TopicPartition(name, partition)
        for name, topic in found.items()
        if name in RECEIVED
        for partition in topic.partitions
    ]
    asked = admin.list_offsets(dict.fromkeys(places, OffsetSpec.latest()))  # type: ignore[no-untyped-call]
    return sum(future.result().offset for future in asked.values())


def rows(root: Path, table: str) -> int:
    """Rows of a table."""
    listed = {row["table"]: row["rows"] for row in told(root, "tables")}
    return int(listed[table] or 0)


def told(root: Path, *arguments: str) -> Any:
    """What a command says as JSON."""
    return json.loads(lakeshelf(root, *arguments, "--json", allowed=(0, 1)))


def lakeshelf(root: Path, *arguments: str, allowed: tuple[int, ...] = (0,)) -> str:
    """Run a command of that commit; what it printed."""
    command = [sys.executable, "-m", "lakeshelf.cli.main", *arguments]
    environment = os.environ | {"LAKESHELF_LAKE_ROOT": str(root)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode not in allowed:
        sys.exit(f"{' '.join(arguments)}: {done.stderr}")
    return done.stdout


def until(holds: Callable[[], bool], what: str, seconds: float = 600.0) -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            sys.exit(f"not within {seconds:.0f} s: {what}")
        time.sleep(1)


def pack(root: Path, archive: Path) -> None:
    """The lake without its logs; files of Kafka that are mostly holes stay small."""
    left_out = [f"--exclude={root.name}/_stack/{name}" for name in ("logs", "*.lock")]
    order = ["--sort=name", "--owner=0", "--group=0", "--sparse"]
    command = ["tar", "-C", str(root.parent), *order, *left_out, "-cJf", str(archive), root.name]
    subprocess.run(command, env=os.environ | {"XZ_OPT": "-9e"}, check=True)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        make(Path(folder) / "lake")
        pack(Path(folder) / "lake", Path(sys.argv[1]).absolute())
