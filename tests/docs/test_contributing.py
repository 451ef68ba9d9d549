"""A stranger adds the job `price-changes` by the page alone, in a copy of the checkout, and everything knows it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from confluent_kafka import Producer

from tests.docs.references import Checkout
from tests.docs.test_rules import lacking
from tests.support import eventually

HOME = Path(__file__).parents[2]
COPIED = ("src", "spark-apps", "kafka-components", "ml-model", "infra", "docs", "pyproject.toml")
BLOCK = re.compile(r"( *)```(?:python|markdown)\n(.*?)```", re.DOTALL)
ABOVE, WITHIN = re.compile(r"(\S+), above (\w+)"), re.compile(r"(\S+), in (\w+)")
EVENTS = {
    "p-1": ("2026-03-02T08:00:00Z", 2.5),
    "p-2": ("2026-03-02T09:00:00Z", 3.25),
    "p-3": ("2026-03-02T07:00:00Z", 1.0),
}
"""Event → when, and the price from then on; the last one comes late."""
TYPED = ".mypy_cache"
"""What is known of the types of all that did not change."""


def blocks() -> Iterator[tuple[str, str]]:
    """Each block of the page that says where it belongs: place, content."""
    page = (HOME / "CONTRIBUTING.md").read_text(encoding="utf-8")
    section = page.partition("## Adding a topic, a table, a job")[2].partition("\n## ")[0]
    for _, text in BLOCK.findall(section):
        place, _, content = textwrap.dedent(text).partition("\n")
        yield place.removeprefix("# "), content


def follow(copy: Path) -> None:
    """Do what the page says."""
    for place, content in blocks():
        if match := ABOVE.fullmatch(place):
            insert(copy / match[1], match[2], content)
        elif match := WITHIN.fullmatch(place):
            into(copy / match[1], match[2], f"{content.rstrip()},\n")
        else:
            (copy / place).parent.mkdir(exist_ok=True)
            (copy / place).write_text(content, encoding="utf-8")


def insert(file: Path, name: str, content: str) -> None:
    """Put declarations above a tuple, and those that it lists into it."""
    kind = name.removesuffix("S").capitalize()
    listed = re.findall(rf"^([A-Z_]+) = {kind}\(", content, flags=re.MULTILINE)
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace(f"\n{name} = (", f"\n{content}\n{name} = (", 1), encoding="utf-8")
    into(file, name, "".join(f"{one},\n" for one in listed))


def into(file: Path, name: str, content: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert f"\n{name} = (\n" in text, f"{file} has no {name}"
    file.write_text(
        text.replace(f"\n{name} = (\n", f"\n{name} = (\n{content}", 1), encoding="utf-8"
    )


def copied(made: Path) -> Path:
    """A copy of the checkout."""
    for name in COPIED:
        source = HOME / name
        if source.is_dir():
            shutil.copytree(source, made / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, made / name)
    return made


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout to which the job was added."""
    made = copied(tmp_path_factory.mktemp("checkout"))
    follow(made)
    return made


def lakeshelf(copy: Path, *arguments: str) -> str:
    """Run a command of the copy; what it prints."""
    done = run(copy, "-m", "lakeshelf.cli.main", *arguments)
    assert done.returncode == 0, f"{arguments}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def run(copy: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    own = {
        "PYTHONPATH": str(copy / "src"),
        "LAKESHELF_HOME": str(copy),
        "LAKESHELF_CACHE_DIR": str(HOME / ".cache"),
        "LAKESHELF_LAKE_ROOT": str(copy / "lake"),
    }
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=copy,
        env=os.environ | own,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_the_job_is_listed_bound_and_documented(copy: Path) -> None:
    listed = {job["job"]: job for job in json.loads(lakeshelf(copy, "jobs", "list", "--json"))}
    assert "curated/shelf_prices" in json.dumps(listed["price-changes"])
    assert "breaking" not in lakeshelf(copy, "contracts", "check")
    lakeshelf(copy, "contracts", "docs")
    assert lacking(copy, "price-changes") is None
    reference = copy / "docs" / "reference"
    assert "price-changes" in (reference / "jobs.md").read_text(encoding="utf-8")
    assert (reference / "tables" / "curated" / "shelf_prices.md").is_file()
    assert (reference / "topics" / "price_changes.md").is_file()


@pytest.mark.slow
def test_a_mistake_in_its_sql_is_named_before_anything_runs(copy: Path) -> None:
    module = copy / "spark-apps" / "price-changes" / "price_changes.py"
    right = module.read_text(encoding="utf-8")
    module.write_text(right.replace("max(event_time)", "max(event_tmie)"), encoding="utf-8")
    done = run(copy, "-m", "lakeshelf.cli.main", "jobs", "list")
    module.write_text(right, encoding="utf-8")
    assert done.returncode != 0
    assert "event_tmie" in done.stderr
    assert "price-changes" in done.stderr


@pytest.mark.slow
def test_what_new_writes_passes_everything_at_once(tmp_path: Path) -> None:
    made = copied(tmp_path)
    job = json.loads(lakeshelf(made, "jobs", "new", "lost-by-day", "--topic=lost_sales", "--json"))
    component = json.loads(lakeshelf(made, "components", "new", "daily-visits", "--json"))
    written = [*job["written"], *component["written"]]
    assert "lost-by-day" in lakeshelf(made, "jobs", "list")
    assert "daily-visits" in lakeshelf(made, "components", "list")
    assert "No reader" in lakeshelf(made, "contracts", "check")
    assert lakeshelf(made, "contracts", "docs", "--check").startswith("0 pages")
    assert "bad" not in lakeshelf(made, "check")
    files = [file for file in written if file.endswith(".py")]
    if (HOME / TYPED).exists():
        shutil.copytree(HOME / TYPED, made / TYPED)
    for tool in (("ruff", "check"), ("ruff", "format", "--check"), ("mypy",)):
        done = run(made, "-m", *tool, *files)
        assert done.returncode == 0, f"{tool}\n{done.stdout}\n{done.stderr}"
    assert [lacking(made, name) for name in ("lost-by-day", "daily-visits")] == [None, None]
    broken = Checkout(made).broken()
    assert [one for one in broken if str(made / one.file) in written] == []


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_it_runs_and_the_books_the_stories_and_the_numbers_know_it(copy: Path) -> None:
    lakeshelf(copy, "up", "--no-simulation", "--no-watch")
    try:
        send(json.loads(lakeshelf(copy, "status", "--json"))["bootstrap_servers"])
        eventually(lambda: prices(copy) == [{"shelf_id": "A", "price": 3.25}], "its price")
        told = lakeshelf(copy, "trace", "p-2")
        assert "raw/price_changes" in told
        eventually(lambda: watched(copy) == len(EVENTS) + 1, "a look at which Kafka answers")
    finally:
        lakeshelf(copy, "down")
    checked = books(copy, {"price_changes": len(EVENTS) + 1})
    assert checked["I5"]
    assert not books(copy, {"price_changes": len(EVENTS)})["I5"], "a record too many is noticed"


def watched(copy: Path) -> int | None:
    """Events of a look; None: Kafka did not answer in the time that a look has."""
    events: int | None = json.loads(lakeshelf(copy, "watch", "--json"))["events"]
    return events


def send(servers: str) -> None:
    """Publish prices of a shelf, one of them twice."""
    producer = Producer({"bootstrap.servers": servers, "acks": "all", "log_level": 0})
    for event_id in (*EVENTS, "p-1"):
        at, price = EVENTS[event_id]
        event = {
            "event_id": event_id,
            "event_type": "price_change",
            "event_time": at,
            "store_id": "S1",
            "schema_version": 1,
            "shelf_id": "A",
            "item_id": "I1",
            "price": price,
        }
        producer.produce("price_changes", orjson.dumps(event), b"A")
    assert producer.flush(30) == 0


def prices(copy: Path) -> list[dict[str, Any]]:
    """What `curated/shelf_prices` holds."""
    text = "SELECT shelf_id, CAST(price AS DOUBLE) AS price FROM curated.shelf_prices"
    return list(json.loads(lakeshelf(copy, "sql", text, "--json")))


def books(copy: Path, records: dict[str, int]) -> dict[str, bool]:
    """Invariant → whether it holds, given the records of topics."""
    program = """
import json, sys
from lakeshelf.reconcile.invariants import invariants
checks = invariants(sys.argv[1], json.loads(sys.argv[2]))
print(json.dumps({check.name: check.ok for check in checks}))
"""
    done = run(copy, "-c", program, str(copy / "lake"), json.dumps(records))
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))
