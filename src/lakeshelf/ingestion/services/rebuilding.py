"""Rebuild a dataset from `bronze/`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pyarrow as pa

from lakeshelf import crash
from lakeshelf.counts import count_of
from lakeshelf.errors import LakeError
from lakeshelf.ingestion.domain.manifest import File, LoadResult, claimed, ended, renewed
from lakeshelf.ingestion.domain.rows import judged
from lakeshelf.ingestion.errors import FileRefused, TransitionRefused
from lakeshelf.ingestion.io.target import fitted
from lakeshelf.ingestion.services.discovery import discover
from lakeshelf.ingestion.services.loading import fail, read_files, standing
from lakeshelf.ingestion.services.workshop import Workshop
from lakeshelf.lake.place.errors import NotFound
from lakeshelf.lake.rows.port import Tables

LEASE = timedelta(minutes=5)


@dataclass(frozen=True)
class Rebuild:
    """What a rebuild did, or would do.

    Attributes:
        dataset: The dataset.
        files: Its files, as they ended; of a dry run, as they are.
        gone: Files whose content is no longer in `bronze/`.
        rows_before: Rows of its files before.
        dry_run: Whether nothing was done.
    """

    dataset: str
    files: tuple[File, ...]
    gone: tuple[File, ...]
    rows_before: int
    dry_run: bool

    def as_json(self) -> dict[str, Any]:
        """The result as JSON."""
        return {
            "dataset": self.dataset,
            "files": len(self.files),
            "rows_before": self.rows_before,
            "rows_loaded": sum(file.rows_loaded for file in self.files),
            "rows_refused": sum(file.rows_refused for file in self.files),
            "gone": [
                {"file_id": f.file_id, "path": f.path, "rows": f.rows_loaded} for f in self.gone
            ],
            "dry_run": self.dry_run,
        }


def rebuild(
    lake: Tables, dataset: str, *, dry_run: bool = False, drop_gone: bool = False, **how: Any
) -> Rebuild:
    """Make what lies in `bronze/` the only rows of a dataset: the same rows each time.

    1. Register what is new, and look which files are gone.
    2. Claim all files of the dataset. While it lasts, nobody loads into the dataset.
    3. Read and judge the files in the order of their ids, commit the rows that each part refuses, and the rows of all
       parts in one commit that replaces the table. It keeps columns and types.
    4. Say of refused rows that were loaded when they were, and commit the outcome.

    Args:
        lake: The lake.
        dataset: The dataset.
        dry_run: Say what would be done, and do nothing.
        drop_gone: Do it although the content of files is gone, whose rows are lost by it.
        how: `worker`, `limits`, `lease`, `max_attempts`, `progress` of a `Workshop`.

    Raises:
        NotFound: No file was ever loaded into it.
        FileRefused: Content of files is gone, and `drop_gone` is not given.
        TransitionRefused: A worker has files of it.
    """
    shop = Workshop(lake, **{"lease": LEASE} | how)
    # 1.
    if not dry_run:
        discover(shop, timedelta(0), lambda _: None, {dataset})
    files = shop.manifest.files([("dataset", "=", dataset)])
    if not files:
        raise NotFound(f"no file was ever loaded into {dataset}", hint="see `lakeshelf files list`")
    gone = tuple(file for file in files if _is_gone(shop, file))
    before = sum(file.rows_loaded for file in files)
    if dry_run:
        return Rebuild(dataset, tuple(files), gone, before, True)
    lost = [file for file in gone if file.rows_loaded]
    if lost and not drop_gone:
        raise FileRefused(
            f"gone or changed: {count_of(len(lost), 'file')} of {dataset}, the first is {lost[0].path}: a rebuild "
            f"would lose {count_of(sum(file.rows_loaded for file in lost), 'row')}",
            hint="put them back, or give --drop-gone",
        )
    # 2.
    claim = shop.new_claim("rebuild")
    taken = shop.manifest.change(
        [("dataset", "=", dataset)], lambda current: claimed(current, claim)
    )
    crash.point("files_after_claim")
    try:
        done = _rebuilt(shop, taken)
    except TransitionRefused:
        raise
    except LakeError as error:
        fail(shop, taken, str(error))
        raise
    return Rebuild(dataset, tuple(done), gone, before, False)


def _rebuilt(shop: Workshop, files: Sequence[File]) -> list[File]:
    target, batch_id = shop.target(files[0].dataset), str(files[0].batch_id)
    parts = _parts(files, shop.limits.files)
    failed: dict[int, str] = {}
    notes: dict[int, str] = {}
    for part in parts:
        if (spec := read_files(shop, part).spec) is not None:
            target.ensure(spec)
            break
    else:
        raise FileRefused(f"no file of {files[0].dataset} can be read")
    schema = target.schema()

    def batches() -> Iterator[pa.RecordBatch]:
        # 3.
        for number, part in enumerate(parts, 1):
            shop.progress("rebuild", number - 1, len(parts))
            _renew(shop, files)
            read = read_files(shop, part)
            failed.update(read.failed)
            notes.update(read.notes)
            if read.spec is None:
                continue
            batch = judged(read.parsed, read.spec)
            failed.update(batch.failed)
            if not shop.rejects.record(
                batch.refused, files[0].dataset, batch_id, shop.now(), number
            ):
                raise _taken_over(batch_id)
            yield from fitted(batch.rows, schema).to_batches()

    def rows() -> pa.RecordBatchReader:
        return pa.RecordBatchReader.from_batches(schema, batches())

    if not target.write_full(rows, batch_id):
        raise _taken_over(batch_id)
    crash.point("files_after_data")
    # 4.
    return _concluded(shop, files, failed, notes)


def _concluded(
    shop: Workshop, files: Sequence[File], failed: Mapping[int, str], notes: Mapping[int, str]
) -> list[File]:
    ids, batch_id = [file.file_id for file in files], str(files[0].batch_id)
    stored = standing(shop, files)
    results = {
        # Nothing is left of a file that failed, so a retry has to load all of it.
        i: LoadResult(error=failed[i]) if i in failed else replace(stored[i], note=notes.get(i))
        for i in ids
    }

    def decide(current: list[File]) -> list[File]:
        return [
            ended(file, results[file.file_id], batch_id, shop.now(), shop.max_attempts)
            for file in current
        ]

    done = shop.manifest.change([("file_id", "in", ids)], decide)
    crash.point("files_after_outcome")
    return done


def _renew(shop: Workshop, files: Sequence[File]) -> None:
    """Keep the claim while the rebuild lasts, when half of its time is over."""
    batch_id, now = str(files[0].batch_id), shop.now()

    def decide(current: list[File]) -> list[File]:
        until = min(file.lease_until or now for file in current)
        if until - now > shop.lease / 2:
            return []
        return [renewed(file, batch_id, now, shop.lease) for file in current]

    shop.manifest.change([("batch_id", "=", batch_id), ("status", "=", "running")], decide)


def _is_gone(shop: Workshop, file: File) -> bool:
    try:
        shop.bronze.read(file)
    except FileRefused:
        return True
    return False


def _parts(files: Sequence[File], size: int) -> list[list[File]]:
    return [list(files[i : i + size]) for i in range(0, len(files), size)]


def _taken_over(batch_id: str) -> TransitionRefused:
    return TransitionRefused(
        f"batch {batch_id} was taken over by another worker", hint="`lakeshelf files scan` ends it"
    )
