"""What a failed query says of itself, and how a query ends."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from lakeshelf.settings import load_settings
from lakeshelf.streams import registry
from lakeshelf.streams.plan import plan
from lakeshelf.streams.query import Query, describe

IN_PYTHON = """[FOREACH_BATCH_USER_FUNCTION_ERROR] An error occurred. Return Message: Traceback (most recent call last):
  File "clientserver.py", line 644, in _call_proxy
    raise e
_duckdb.ParserException: Parser Error: syntax error at or near "ELSE"

LINE 6: x
org.apache.spark.SparkException: behind it
"""
OURS = f"{IN_PYTHON}lakeshelf.errors.LakeError: disk full; free some space\n"


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (IN_PYTHON, '_duckdb.ParserException: Parser Error: syntax error at or near "ELSE"'),
        (OURS, "disk full; free some space"),
        (
            "org.apache.kafka.TimeoutException: late\n\tat x",
            "org.apache.kafka.TimeoutException: late",
        ),
        ("\n", "unknown failure"),
    ],
)
def test_the_line_that_says_most_is_shown(error: str, line: str) -> None:
    assert describe(error) == line


def test_a_batch_that_begins_while_the_query_stops_ends_too(tmp_path: Path) -> None:
    settings = load_settings(lake_root=tmp_path)
    nothing: Any = None
    query = Query(plan(registry.discover(settings.home).values())[0], settings, nothing, {})
    query.stop()
    ended: list[Exception] = []

    def begin() -> None:
        try:
            query._batch(nothing, 0)
        except InterruptedError as error:
            ended.append(error)

    batch = threading.Thread(target=begin, daemon=True)
    batch.start()
    batch.join(10)
    assert [str(error) for error in ended] == ["the query is stopping"]
