"""Load files again: rows that are still refused, or whole files in the place of what they left."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from lakeshelf import crash
from lakeshelf.ingestion.domain.manifest import RETRIED, File, Mode, claimed
from lakeshelf.ingestion.errors import TransitionRefused
from lakeshelf.ingestion.services.loading import load
from lakeshelf.ingestion.services.workshop import Workshop
from lakeshelf.lake.place.errors import NotFound
from lakeshelf.lake.rows.port import Tables


def retry(
    lake: Tables, file_ids: Sequence[int] = (), *, datasets: Collection[str] = (), **how: Any
) -> list[File]:
    """Try files again that are partial, quarantined or failed; only rows that are still refused are loaded.

    Args:
        lake: The lake.
        file_ids: The files; empty: all such files.
        datasets: Their datasets, where no files are named; empty: all.
        how: `worker`, `limits`, `lease`, `max_attempts`, `progress` of a `Workshop`.

    Returns:
        The files as they ended.

    Raises:
        NotFound: No such file.
        TransitionRefused: A named file is in another state; nothing is done.
    """
    shop = Workshop(lake, **how)
    named = tuple(dict.fromkeys(file_ids))
    files = _named(shop, named) if named else _retried(shop, datasets)
    if named:
        claimed(files, shop.new_claim("retry"))
    return _in_batches(shop, files, "retry")


def force(lake: Tables, file_ids: Sequence[int], **how: Any) -> list[File]:
    """Load files again whatever became of them: their rows replace exactly those that they left, under the same ids.

    Args:
        lake: The lake.
        file_ids: The files.
        how: As for `retry`.

    Raises:
        NotFound: No such file.
        TransitionRefused: A file is pending or running; nothing is done.
    """
    shop = Workshop(lake, **how)
    files = _named(shop, tuple(dict.fromkeys(file_ids)))
    claimed(files, shop.new_claim("force"))
    return _in_batches(shop, files, "force")


def retried(
    lake: Tables,
    file_ids: Sequence[int] = (),
    *,
    datasets: Collection[str] = (),
    force: bool = False,
) -> list[File]:
    """Files that `retry`, or `force`, would take; errors as theirs, and nothing is done."""
    shop = Workshop(lake)
    files = _named(shop, file_ids) if file_ids else _retried(shop, datasets)
    claimed(files, shop.new_claim("force" if force else "retry"))
    return files


def _named(shop: Workshop, file_ids: Sequence[int]) -> list[File]:
    files = shop.manifest.files([("file_id", "in", list(file_ids))])
    if missing := sorted(set(file_ids) - {file.file_id for file in files}):
        raise NotFound(
            f"no file {', '.join(map(str, missing))}", hint="`lakeshelf files list` lists them"
        )
    return files


def _retried(shop: Workshop, datasets: Collection[str]) -> list[File]:
    files = shop.manifest.files([("status", "in", list(RETRIED))])
    return [file for file in files if not datasets or file.dataset in datasets]


def _in_batches(shop: Workshop, files: Sequence[File], mode: Mode) -> list[File]:
    done: list[File] = []
    for batch in _batches(files, shop.limits.files):
        shop.progress("load", len(done), len(files))
        done += load(shop, _claim(shop, batch, mode))
    return sorted(done, key=lambda file: file.file_id)


def _batches(files: Sequence[File], size: int) -> list[list[File]]:
    """Files of one dataset and one kind of attempt each, which one commit can hold."""
    groups: dict[tuple[str, bool], list[File]] = {}
    for file in files:
        groups.setdefault((file.dataset, _has_rows(file)), []).append(file)
    return [group[i : i + size] for group in groups.values() for i in range(0, len(group), size)]


def _has_rows(file: File) -> bool:
    return bool(file.rows_loaded or file.rows_refused)


def _claim(shop: Workshop, files: Sequence[File], mode: Mode) -> list[File]:
    claim = shop.new_claim(mode)
    taken = shop.manifest.change(
        [("file_id", "in", [file.file_id for file in files])],
        lambda current: claimed(current, claim),
    )
    crash.point("files_after_claim")
    if len({file.mode for file in taken}) > 1:
        raise TransitionRefused("files changed while they were claimed", hint="repeat the command")
    return taken
