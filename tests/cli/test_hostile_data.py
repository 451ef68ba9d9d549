"""Nothing that data hold is obeyed by a terminal, whichever command shows them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakeshelf.cli.console.output import as_json
from lakeshelf.cli.console.terminal import inert
from tests.cli import hostile
from tests.cli.commands import PATHS

READING = {
    "status": [],
    "watch": ["--once"],
    "trace": [hostile.TEXT],
    "doctor": [],
    "check": [],
    "init": ["/dev/null/\x1b[31m"],
    "logs": ["--all"],
    "profile": [hostile.TEXT],
    "plan": [],
    "config": [],
    "tables": [],
    "topics": [],
    "sql": [f"SELECT * FROM {hostile.DATASET.replace('/', '.')}"],
    "jobs list": [],
    "components list": [],
    "contracts show": [hostile.TEXT],
    "contracts check": [],
    "contracts acls": [],
    "contracts topics": [],
    "reconcile": ["--stores", hostile.TEXT],
    "run": [hostile.TEXT],
    "alerts list": [],
    "plans list": [],
    "stock show": [hostile.TEXT],
    "quarantine list": [],
    "lake ls": [],
    "lake history": [hostile.DATASET],
    "lake diff": [hostile.DATASET, 1, 2],
    "lake runs": [],
    "lake verify-run": [hostile.TEXT],
    "lake cursors": [],
    "lake forget": [hostile.TEXT],
    "lake doctor": [],
    "lake features": [],
    "lake optimize": [hostile.DATASET, "--dry-run"],
    "lake vacuum": [hostile.DATASET, "--dry-run"],
    "lake repair": [hostile.DATASET, "--dry-run"],
    "lake restore": [hostile.DATASET, 1, "--dry-run"],
    "lake export": [hostile.DATASET, "/dev/null/\x1b[31m"],
    "lake migrate": ["/\x1b[31m", hostile.DATASET],
    "lake migrate-postgres": [hostile.TEXT, hostile.DATASET],
    "migrate parquet": ["/\x1b[31m", hostile.DATASET],
    "migrate postgres": [hostile.TEXT, hostile.DATASET],
    "files list": [],
    "files show": [1],
    "files scan": [],
    "files retry": ["--dry-run"],
    "files rebuild": [hostile.DATASET, "--dry-run"],
    "files upload": ["sales", "/\x1b[31m"],
    "replay-quarantine": ["/\x1b[31m"],
    "jobs new": [hostile.TEXT],
    "components new": [hostile.TEXT],
    "jobs run": [hostile.TEXT],
    "jobs conf": ["--master", hostile.TEXT],
    "jobs submit": ["--master", hostile.TEXT],
    "jobs accept-gap": [hostile.TEXT],
    "components run": [hostile.TEXT],
    "users bootstrap": [hostile.TEXT],
    "users tokens list": ["--user", hostile.TEXT, "--as", hostile.TEXT],
    "users tokens make": [hostile.TEXT, "--as", hostile.TEXT],
    "users tokens revoke": [hostile.TEXT, "--as", hostile.TEXT],
    "users sessions list": ["--user", hostile.TEXT, "--as", hostile.TEXT],
    "users sessions end": [hostile.TEXT, "--as", hostile.TEXT],
    "users link": ["--user", hostile.TEXT, "--as", hostile.TEXT],
    "users identities list": [hostile.TEXT, "--as", hostile.TEXT],
    "users identities link": [hostile.TEXT, hostile.TEXT, "--as", hostile.TEXT],
    "users identities unlink": [hostile.TEXT, hostile.TEXT, "--as", hostile.TEXT],
    "webhooks list": ["--as", hostile.TEXT],
    "webhooks add": [hostile.TEXT, hostile.TEXT, "--as", hostile.TEXT],
    "webhooks off": [hostile.TEXT, "--as", hostile.TEXT],
    "webhooks on": [hostile.TEXT, "--as", hostile.TEXT],
    "webhooks remove": [hostile.TEXT, "--as", hostile.TEXT],
    "webhooks deliveries": [hostile.TEXT, "--as", hostile.TEXT],
    "webhooks again": [hostile.TEXT, 1, "--as", hostile.TEXT],
    "data list": ["--as", hostile.TEXT],
    "data show": [hostile.TEXT, "--as", hostile.TEXT],
    "data edit": [hostile.TEXT, hostile.TEXT, "c=1", "--as", hostile.TEXT],
    "data insert": [hostile.TEXT, hostile.TEXT, "c=1", "--as", hostile.TEXT],
    "data delete": [hostile.TEXT, hostile.TEXT, "--as", hostile.TEXT],
    "data preview": [hostile.TEXT, "--as", hostile.TEXT],
    "data submit": [hostile.TEXT, "--title", "t", "--as", hostile.TEXT],
    "data discard": [hostile.TEXT, "--as", hostile.TEXT],
    "data history": [hostile.TEXT, "--as", hostile.TEXT],
    "data blame": [hostile.TEXT, hostile.TEXT, "--as", hostile.TEXT],
    "data diff": [hostile.TEXT, 1, 2, "--as", hostile.TEXT],
    "data restore": [hostile.TEXT, 1, "--as", hostile.TEXT],
    "data snapshot": [hostile.TEXT, hostile.TEXT, "--as", hostile.TEXT],
    "data outside": [hostile.TEXT, "--as", hostile.TEXT],
    "data publish": [hostile.TEXT, "--all", "--as", hostile.TEXT],
    "data export": [hostile.TEXT, "x.csv", "--as", hostile.TEXT],
    "data definition": [hostile.TEXT, "--as", hostile.TEXT],
    "data define": [hostile.TEXT, hostile.TEXT, "--title", "t", "--as", hostile.TEXT],
    "import": [hostile.TEXT, "--dataset", hostile.TEXT, "--as", hostile.TEXT],
    "cr effect": [1, "--as", hostile.TEXT],
    "cr validation": [1, "--as", hostile.TEXT],
    "cr outcome": [1, "--as", hostile.TEXT],
    "cr take-up": [1, "--as", hostile.TEXT],
    "cr list": ["--as", hostile.TEXT],
    "cr show": [1, "--as", hostile.TEXT],
    "cr approve": [1, "--yes", "--as", hostile.TEXT],
    "cr reject": [1, "--comment", "no", "--as", hostile.TEXT],
    "cr reject-cells": [1, hostile.TEXT, "--as", hostile.TEXT],
    "cr withdraw": [1, "--as", hostile.TEXT],
    "cr merge": [1, "--yes", "--as", hostile.TEXT],
    "cr resolve": [1, "--all", "main", "--as", hostile.TEXT],
    "cr revert": [1, "--as", hostile.TEXT],
    "cr comment": [1, hostile.TEXT, "--as", hostile.TEXT],
    "alerts ack": [hostile.TEXT],
    "alerts dismiss": [hostile.TEXT],
    "plans cancel": [hostile.TEXT],
    "stock adjust": [hostile.TEXT, 1],
    "stock low": [],
    "stock count": [hostile.TEXT, 1],
    "policies list": [],
    "policies show": [hostile.TEXT],
    "policies set": [hostile.TEXT, "min_qty=1"],
    "policies unset": [hostile.TEXT],
    "whatif": ["--stores", hostile.TEXT, "--frontier"],
    "explain": [hostile.TEXT],
    "models list": [],
    "models show": [hostile.TEXT],
    "models train": ["--as", hostile.TEXT],
    "models import": [hostile.TEXT],
    "models verify": [hostile.TEXT],
    "models promote": [hostile.TEXT, "--as", hostile.TEXT],
    "models retire": [hostile.TEXT, "--as", hostile.TEXT],
    "models rollback": ["--as", hostile.TEXT],
    "models compare": [hostile.TEXT, hostile.TEXT],
    "destroy": ["--yes", hostile.TEXT],
    "demo": ["--stores", hostile.TEXT],
}
"""Command → arguments with which it shows data, or refuses what it is given."""
OTHERS = {
    "up",
    "ui",
    "down",
    "bootstrap",
    "rebuild",
    "continue",
    "files watch",
    "contracts docs",
    "features backfill",
}
"""Commands that print nothing of what data hold."""
STARTING = {"jobs accept-gap"}
"""Commands that start a broker."""


def each(paths: Iterable[str]) -> list[Any]:
    """Commands as parameters."""
    return [pytest.param(p, marks=[pytest.mark.slow] if p in STARTING else []) for p in paths]


@pytest.fixture(scope="module")
def hostile_lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("hostile") / "lake"
    hostile.lake(root)
    return root


def test_every_command_is_in_one_of_the_lists() -> None:
    assert set(PATHS) == READING.keys() | OTHERS


@pytest.mark.slow
@pytest.mark.parametrize("path", each(READING))
def test_no_control_character_of_data_reaches_a_terminal(lakeshelf, hostile_lake, path):
    shown = lakeshelf("--lake", hostile_lake, *path.split(), *READING[path])
    for text in (shown.out, shown.err):
        assert inert(text, keep="\n") == text
        assert not [line for line in text.splitlines() if line.startswith("error: forged")]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("path", "seen"),
    [
        ("sql", "a\\x1b[31mred"),
        ("lake history", "a\\x1b[31mred"),
        ("lake diff", "a\\x1b[31mred"),
        ("alerts list", "a\\x1b[31mred"),
        ("quarantine list", "a\\x1b[31mred"),
        ("status", "a\\x1b[31mred"),
        ("watch", "a\\x1b[31mred"),
        ("stock show", "[red]c[/] [/] :smile:"),
        ("trace", "a\\x1b[31mred"),
    ],
)
def test_what_would_be_obeyed_is_shown(lakeshelf, hostile_lake, path, seen):
    shown = lakeshelf("--lake", hostile_lake, *path.split(), *READING[path])
    assert seen in shown.out + shown.err


@pytest.mark.slow
def test_csv_and_json_for_programs_hold_the_data_as_they_are(lakeshelf, hostile_lake):
    statement = "SELECT alert_id FROM ops.alerts"
    as_csv = lakeshelf("--lake", hostile_lake, "sql", statement, "--csv").out
    assert hostile.TEXT in as_csv
    (found,) = json.loads(lakeshelf("--lake", hostile_lake, "sql", statement, "--json").out)
    assert found == {"alert_id": hostile.TEXT}
    (alert,) = json.loads(lakeshelf("--lake", hostile_lake, "alerts", "list", "--json").out)
    assert alert["alert_id"] == hostile.TEXT


@given(st.text())
def test_inert_text_is_left_alone_by_every_terminal(text):
    shown = inert(text)
    assert inert(shown) == shown
    assert text.isprintable() <= (shown == text)
    assert not any(ord(c) < 32 or 127 <= ord(c) < 160 for c in shown)


@given(st.text())
def test_json_for_the_screen_is_the_same_value(text):
    written = as_json({text: text})
    assert json.loads(written) == {text: text}
    assert inert(written) == written


STYLE = re.compile(r"[a-z][a-z0-9_]*")
BY_DATA = {
    "parts", "quarantine", "settings", "metadata", "plans", "orders", "alerts", "reads", "writes", "names",
}  # fmt: skip
"""Keys of objects whose own keys are data: names of parts, reasons, settings of Kafka, engines, ids."""
ANSWERS = {"sql", "lake diff"}
"""Commands whose rows are those of a table, with columns of its own."""


def keys(value: Any) -> Iterator[str]:
    """Keys of JSON that are no data."""
    if isinstance(value, list):
        for one in value:
            yield from keys(one)
    if isinstance(value, dict):
        for name, one in value.items():
            yield name
            yield from () if name in BY_DATA else keys(one)


@pytest.mark.slow
@pytest.mark.parametrize("path", each(sorted(READING.keys() - ANSWERS)))
def test_keys_of_json_are_snake_case_whatever_the_command(lakeshelf, hostile_lake, path):
    shown = lakeshelf("--lake", hostile_lake, *path.split(), *READING[path], "--json")
    odd = [key for key in keys(json.loads(shown.out or "[]")) if not STYLE.fullmatch(key)]
    assert not odd
    assert shown.out or shown.code in (1, 2)
