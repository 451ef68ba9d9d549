"""The command line of people, against an API in this process."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lakeshelf.governance.services.context import Context
from tests.conftest import Result, Run
from tests.governance.api.people import issue
from tests.governance.services.acting import ROW
from tests.governance.services.conftest import DATASET


class Shell:
    """The command line of a person."""

    def __init__(self, lakeshelf: Run, monkeypatch: pytest.MonkeyPatch, context: Context) -> None:
        self._lakeshelf, self._environment, self._context = lakeshelf, monkeypatch, context
        self._tokens: dict[str, str] = {}

    def __call__(self, user: str, *words: object, code: int = 0) -> Result:
        if user not in self._tokens:
            self._tokens[user] = issue(self._context, user, user)
        self._environment.setenv("LAKESHELF_API_TOKEN", self._tokens[user])
        done = self._lakeshelf(*words)
        assert done.code == code, done.err
        return done

    def json(self, user: str, *words: object) -> Any:
        return json.loads(self(user, *words, "--json").out)


@pytest.fixture
def shell(lakeshelf: Run, monkeypatch: pytest.MonkeyPatch, context: Context, address: str) -> Shell:
    monkeypatch.setenv("LAKESHELF_API_URL", address)
    return Shell(lakeshelf, monkeypatch, context)


def insert(shell: Shell, *shelves: str) -> None:
    """Shelves that ann proposes and ben merges."""
    words = [f"{name}={json.dumps(value)}" for name, value in ROW.items()]
    for shelf in shelves:
        shell("ann", "data", "insert", DATASET, shelf, *words)
    number = shell.json("ann", "data", "submit", DATASET, "--title", "new")["request"]["number"]
    merge(shell, number)


def merge(shell: Shell, number: int) -> None:
    shell("ben", "cr", "approve", number, "--yes")
    shell("ben", "cr", "merge", number, "--yes")


def rows(shell: Shell) -> dict[str, dict[str, Any]]:
    return {row["shelf_id"]: row for row in shell.json("vic", "data", "show", DATASET)}
