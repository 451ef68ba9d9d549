"""What a failed query says of itself."""

from __future__ import annotations

import pytest

from lakeshelf.streams.query import describe

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
