"""Ways to do the same work, ours and those of other libraries, as result files and pages tell of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks import peer_venvs


@dataclass(frozen=True)
class Way:
    """One of those that run.

    Attributes:
        title: What it is and does.
        lacks: What it does not do, and ours does.
        package: What is installed for it; empty: nothing.
    """

    title: str
    lacks: tuple[str, ...] = ()
    package: str = ""


def described(way: Way, environment: str, problem: str) -> dict[str, Any]:
    """What one of them is, for the result file."""
    version = peer_venvs.version(environment, way.package) if way.package else ""
    return {"title": way.title, "version": version, "does_not": way.lacks, "problem": problem}


def noted(way: Mapping[str, Any]) -> str:
    """The same as a line of the page."""
    name = f"{way['title']} ({way['version']})" if way["version"] else way["title"]
    lacks = ", ".join(way["does_not"])
    problem = f" **Not measured**: {way['problem']}." if way["problem"] else ""
    return f"- {name}: {f'without {lacks}' if lacks else 'all of it'}.{problem}"
