"""The trend: medians of each version and day, kept when the report is made; a result shows the one before it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

FILE = "trend.json"
Point = Mapping[str, Any]
"""`version`, `on` (a day), `cpu`, `parameters`, and `figures`: key → median."""
Trend = dict[str, list[Point]]
"""Benchmark → its points, the oldest first; one for each version and day."""


def read(results: Path) -> Trend:
    """The trend in a folder of results; empty where none is kept."""
    file = results / FILE
    return dict(json.loads(file.read_text(encoding="utf-8"))) if file.exists() else {}


def write(results: Path, trend: Trend) -> None:
    """Write it, a point a line."""
    entries = (
        f" {json.dumps(name)}: [\n  " + ",\n  ".join(map(json.dumps, points)) + "\n ]"
        for name, points in sorted(trend.items())
    )
    (results / FILE).write_text("{\n" + ",\n".join(entries) + "\n}\n", encoding="utf-8")


def with_results(trend: Trend, results: Iterable[Mapping[str, Any]]) -> Trend:
    """The trend with what was measured since; the last result of a version and day stays."""
    grown = {name: list(points) for name, points in trend.items()}
    for result in results:
        point = of(result)
        kept = [p for p in grown.get(result["benchmark"], []) if _when(p) != _when(point)]
        grown[result["benchmark"]] = sorted([*kept, point], key=_when)
    return grown


def of(result: Mapping[str, Any]) -> Point:
    """The point of a result."""
    medians = {f["key"]: f["median"] for f in result["figures"] if f["median"] is not None}
    return {
        "version": result["versions"]["lakeshelf"],
        "on": result["made_at"][:10],
        "cpu": result["machine"]["cpu"],
        "parameters": result["parameters"],
        "figures": medians,
    }


def before(trend: Trend, result: Mapping[str, Any]) -> Point | None:
    """The point before a result, measured with the same numbers as parameters; None: there is none."""
    this = of(result)
    points = trend.get(result["benchmark"], ())
    earlier = [p for p in points if _when(p) < _when(this) and _numbers(p) == _numbers(this)]
    return earlier[-1] if earlier else None


def _when(point: Point) -> tuple[str, str]:
    return point["on"], point["version"]


def _numbers(point: Point) -> dict[str, Any]:
    """Parameters by which figures differ; which of several ways were measured says nothing of each."""
    return {k: v for k, v in point["parameters"].items() if not isinstance(v, list)}
