"""Pins: versions that runs and cursors still refer to, which maintenance leaves readable."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from lakeshelf.lake.history import cursors, runs
from lakeshelf.lake.place.location import Root
from lakeshelf.lake.place.names import is_name
from lakeshelf.lake.rows import tables


def oldest(root: Root, name: str, retention: timedelta | None = None) -> int | None:
    """The oldest version of a dataset that a published run or a registered cursor refers to; None: none does.

    Files and log of it and of every later version have to stay: a cursor reads all changes since.

    Args:
        root: Root of the lake.
        name: The dataset.
        retention: How long after its end a run counts; None: as settings say (`run_retention_days`).

    Raises:
        LakeError: `ops/runs` or `ops/cursors` cannot be read, so that nothing can be said.
    """
    if not is_name(name) or not any(tables.exists(root, t) for t in (runs.RUNS, cursors.CURSORS)):
        return None
    versions = (
        runs.oldest_version(root, name, retention or configured_retention(), datetime.now(UTC)),
        cursors.oldest_version(root, name),
    )
    return min((version for version in versions if version is not None), default=None)


def configured_retention() -> timedelta:
    """How long runs can be read and verified, as settings say."""
    from lakeshelf.settings import load_settings  # noqa: PLC0415 - pydantic is slow to import

    return timedelta(days=load_settings().run_retention_days)
