"""One batch of files, from the claim to the outcome."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import pyarrow as pa

from lakeshelf import crash
from lakeshelf.contracts.layers import BRONZE
from lakeshelf.errors import LakeError
from lakeshelf.ingestion.declared.parsed import Parsed, RowRefusal
from lakeshelf.ingestion.declared.spec import FILE_ID, FILE_LINE, Spec
from lakeshelf.ingestion.domain.declaration import Declaration
from lakeshelf.ingestion.domain.inference import spec_of
from lakeshelf.ingestion.domain.manifest import File, LoadResult, ended
from lakeshelf.ingestion.domain.rows import JudgedRows, judged
from lakeshelf.ingestion.domain.rules import message
from lakeshelf.ingestion.errors import DeclarationError, FileRefused
from lakeshelf.ingestion.formats import formats
from lakeshelf.ingestion.services.repositories import TableRepository
from lakeshelf.ingestion.services.workshop import Workshop
from lakeshelf.lake.place.errors import Conflict, StorageError

KEYS = (FILE_ID, FILE_LINE)


@dataclass(frozen=True)
class ReadBatch:
    """What the files of a batch hold.

    Attributes:
        parsed: File → what it holds.
        failed: File → why it cannot be read.
        spec: What their dataset has; None: no file could tell.
    """

    parsed: Mapping[int, Parsed]
    failed: Mapping[int, str]
    spec: Spec | None

    @property
    def notes(self) -> dict[int, str]:
        """File → what was left out of it."""
        return {file_id: parsed.note for file_id, parsed in self.parsed.items()}


def load(shop: Workshop, files: Sequence[File]) -> list[File]:
    """Load a batch of files that this worker has claimed; the files as they ended.

    1. Read the files. One that is gone, changed, damaged or has a wrong header is a failure of its own.
    2. Judge the rows. In a retry only those count that are still refused.
    3. Commit the refused rows.
    4. Commit the rows, with the batch as application id. From here on nobody reads the files again.
    5. Say of refused rows that were loaded when they were.
    6. Commit the outcome.

    A batch that was given up in the meantime ends without an outcome: that of its successor counts. Rows that break
    a constraint of the table, or that it cannot keep, are told by the table only; the batch is halved until the file
    stands alone.

    Raises:
        StorageError: The disk or the network failed; the files stay claimed until the lease ends.
        Conflict: Others got in the way each time; as above.
    """
    if not files:
        return []
    try:
        return _loaded(shop, files)
    except (StorageError, Conflict):
        raise
    except LakeError as error:
        if len(files) == 1 or isinstance(error, DeclarationError):
            return fail(shop, files, str(error))
        middle = len(files) // 2
        halves = (files[:middle], files[middle:])
        return [file for half in halves for file in load(shop, _claimed_again(shop, half))]


def _loaded(shop: Workshop, files: Sequence[File]) -> list[File]:
    dataset, mode, batch_id = files[0].dataset, files[0].mode, str(files[0].batch_id)
    target = shop.target(dataset)
    # 1.
    read = read_files(shop, files)
    if read.spec is None:
        return _conclude(shop, files, {i: LoadResult(error=why) for i, why in read.failed.items()})
    target.ensure(read.spec)
    # 2.
    batch = judged(read.parsed, read.spec)
    failed = dict(read.failed) | dict(batch.failed)
    rows = _still_refused(shop, files, batch) if mode == "retry" else batch.rows
    # 3.
    if not shop.rejects.record(batch.refused, dataset, batch_id, shop.now()):
        return []
    crash.point("files_after_rejects")
    # 4.
    whole = [file.file_id for file in files if file.file_id not in failed]
    if not _committed(target, mode, rows, whole, batch_id):
        return []
    crash.point("files_after_data")
    # 5.
    if files[0].attempt > 1:
        return conclude_from_tables(shop, files, failed, read.notes)
    # 6.
    return _conclude(shop, files, _results(files, batch, failed, read.notes))


def read_files(shop: Workshop, files: Sequence[File]) -> ReadBatch:
    """What files hold, read by what their dataset has."""
    declared = declaration_of(shop, files)
    spec = spec_of(declared, shop.target(files[0].dataset).known())
    contents: dict[int, bytes] = {}
    failed: dict[int, str] = {}
    for file in files:
        try:
            contents[file.file_id] = shop.bronze.read(file)
        except FileRefused as error:
            failed[file.file_id] = str(error)
    paths = {file.file_id: file.path for file in files}
    if spec is None:
        first, _ = _parsed(contents, paths, None, declared)
        spec = spec_of(declared, None, first)
    parsed, unreadable = _parsed(contents, paths, spec, declared)
    failed |= unreadable
    if spec is None:
        failed |= {i: _columnless(parsed_file) for i, parsed_file in parsed.items()}
    return ReadBatch(parsed, failed, spec)


def _parsed(
    contents: Mapping[int, bytes],
    paths: Mapping[int, str],
    spec: Spec | None,
    declared: Declaration,
) -> tuple[dict[int, Parsed], dict[int, str]]:
    parsed: dict[int, Parsed] = {}
    failed: dict[int, str] = {}
    for file_id, content in contents.items():
        try:
            parsed[file_id] = formats.parse(content, paths[file_id], spec, declared.dialect)
        except FileRefused as error:
            failed[file_id] = str(error)
    return parsed, failed


def _columnless(parsed: Parsed) -> str:
    """Why the columns of a readable file are unknown."""
    if not parsed.refused:
        return "the file has no rows that would tell its columns; declare them under [columns]"
    first = parsed.refused[0]
    return f"line {first.line}: {first.value}, and no other line is a row; JSONL has an object {{…}} a line"


def declaration_of(shop: Workshop, files: Sequence[File]) -> Declaration:
    """What is declared of the folder that files lie in."""
    folder = str(files[0].address).removeprefix(f"{BRONZE}/").partition("/")[0]
    return shop.bronze.declarations({folder})[folder]


def conclude_from_tables(
    shop: Workshop,
    files: Sequence[File],
    failed: Mapping[int, str],
    notes: Mapping[int, str] = MappingProxyType({}),
) -> list[File]:
    """End files by what the tables hold of them, without reading them."""
    stored = standing(shop, files)
    results = {
        i: replace(result, error=failed.get(i, ""), note=notes.get(i))
        for i, result in stored.items()
    }
    return _conclude(shop, files, results)


def standing(shop: Workshop, files: Sequence[File]) -> dict[int, LoadResult]:
    """What the tables hold of files of one dataset; of refused rows that were loaded, it is said when."""
    ids = [file.file_id for file in files]
    loaded = shop.target(files[0].dataset).lines(ids)
    shop.rejects.resolve(loaded, shop.now())
    crash.point("files_after_resolve")
    left = shop.rejects.left(ids)
    return {
        i: LoadResult(len(loaded[i]), len({one.line for one in left[i]}), refusal=_first(left[i]))
        for i in ids
    }


def _first(refused: Sequence[RowRefusal]) -> str:
    return message(refused[0]) if refused else ""


def fail(shop: Workshop, files: Sequence[File], why: str) -> list[File]:
    """End files that could not be loaded; what was loaded of them before still is."""
    results = {f.file_id: LoadResult(f.rows_loaded, f.rows_refused, why) for f in files}
    return _conclude(shop, files, results)


def _results(
    files: Sequence[File], batch: JudgedRows, failed: Mapping[int, str], notes: Mapping[int, str]
) -> dict[int, LoadResult]:
    counted = batch.rows.group_by(FILE_ID).aggregate([([], "count_all")])
    loaded = dict(zip(counted[FILE_ID].to_pylist(), counted["count_all"].to_pylist(), strict=True))

    def result(file_id: int) -> LoadResult:
        refused = batch.refused.get(file_id, ())
        return LoadResult(
            loaded.get(file_id, 0),
            len({refusal.line for refusal in refused}),
            failed.get(file_id, ""),
            _first(refused),
            notes.get(file_id),
        )

    return {file.file_id: result(file.file_id) for file in files}


def _still_refused(shop: Workshop, files: Sequence[File], batch: JudgedRows) -> pa.Table:
    lines = shop.rejects.lines([file.file_id for file in files])
    places = zip(batch.rows[FILE_ID].to_pylist(), batch.rows[FILE_LINE].to_pylist(), strict=True)
    return batch.rows.filter(pa.array([line in lines[i] for i, line in places], pa.bool_()))


def _committed(
    target: TableRepository, mode: str | None, rows: pa.Table, whole: Sequence[int], batch_id: str
) -> bool:
    if mode == "force" and whole:
        return target.replace(rows, whole, batch_id)
    if not rows.num_rows:
        return True
    if mode == "retry":
        return target.merge(rows, KEYS, batch_id)
    return target.append(rows, batch_id)


def _conclude(
    shop: Workshop, files: Sequence[File], results: Mapping[int, LoadResult]
) -> list[File]:
    batch_id, ids = str(files[0].batch_id), [file.file_id for file in files]

    def decide(current: list[File]) -> list[File]:
        if any(file.batch_id != batch_id or file.status != "running" for file in current):
            return []
        return [
            ended(file, results[file.file_id], batch_id, shop.now(), shop.max_attempts)
            for file in current
        ]

    done = shop.manifest.change([("file_id", "in", ids)], decide)
    crash.point("files_after_outcome")
    return done


def _claimed_again(shop: Workshop, files: Sequence[File]) -> list[File]:
    """Part of a batch, as a batch of its own."""
    claim, batch_id = shop.new_claim(), files[0].batch_id

    def decide(current: list[File]) -> list[File]:
        if any(file.batch_id != batch_id or file.status != "running" for file in current):
            return []
        return [replace(file, batch_id=claim.batch_id) for file in current]

    return shop.manifest.change([("file_id", "in", [f.file_id for f in files])], decide)
