"""The staging table: files are loaded into it one commit each, compared, and published together.

The ledger is in the tables themselves. Every file is an application transaction: its id names the file, its number
is the hash of the content. So a file and its rows are committed together or not at all, wherever the process dies,
and a file whose content has changed is told from one that is loaded.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal
from urllib.parse import unquote

from deltalake import DeltaTable
from deltalake.transaction import AddAction

from lakeshelf.errors import LakeError
from lakeshelf.files import read_json
from lakeshelf.lake.form.commits import Commit, Txn, Write
from lakeshelf.lake.place.errors import Conflict, StorageError, explained
from lakeshelf.lake.place.location import Root
from lakeshelf.lake.place.locks import FileLock
from lakeshelf.lake.place.storage import LOG, filesystem
from lakeshelf.lake.rows import tables
from lakeshelf.lake.rows.fingerprints import RowSums
from lakeshelf.lake.rows.port import Tables
from lakeshelf.lake.rows.reading import scan
from lakeshelf.lake.write import writing
from lakeshelf.migration import rows
from lakeshelf.migration.plan import Footer, MigrationPlan

FOLDER = "_migrations"
APPLICATION = "lakeshelf.migration"
State = Literal["new", "loaded", "changed"]


def txn(name: str, digest: int) -> Txn:
    """The entry of a file in the ledger."""
    return Txn(f"{APPLICATION}:{name}", digest)


def state(handle: DeltaTable | None, name: str, digest: int) -> State:
    """Whether a table has the rows of a file."""
    recorded = handle and handle.transaction_version(txn(name, digest).app_id)
    if recorded is None:
        return "new"
    return "loaded" if recorded == digest else "changed"


class StagingTable:
    """The staging table of one migration. Its place follows from what is migrated, so a rerun finds it.

    Args:
        lake: The lake.
        plan: What is migrated.
        digests: File → hash, of the files that are loaded.
    """

    def __init__(self, lake: Tables, plan: MigrationPlan, digests: Mapping[str, int]) -> None:
        self._lake = lake
        self._plan = plan
        self._digests = digests
        self.id = _id(plan, digests)
        self._base = f"{_place(plan.dataset.name)}/{self.id}"
        self._root = _below(lake.root, f"{self._base}/staged")

    def load(self, files: Sequence[Footer], loaded: Callable[[], None]) -> None:
        """Append the files that are not there yet, one commit each.

        Raises:
            Damaged: A file is corrupt.
            SchemaError: A value that its column does not hold.
        """
        name = self._plan.dataset.name
        if not tables.exists(self._root, name):
            tables.create(self._root, self._plan.dataset, Write(stamp=self._lake.stamp))
        handle = tables.open_table(self._root, name)
        for footer in files:
            self._append(handle, footer)
            loaded()

    def content(self) -> RowSums:
        """Checksums of its rows, as the lake reads them."""
        return content_of(tables.open_table(self._root, self._plan.dataset.name), self._plan)

    def publish(self) -> Commit:
        """Make the rows appear in the target, in one commit.

        Raises:
            Conflict: The target has appeared, or somebody else has migrated the files, meanwhile.
        """
        name = self._plan.dataset.name
        path = self._plan.dataset.path
        adds = list(_adds(self._root, path))
        metadata = {"migration": {"id": self.id, "files": len(self._digests)}}
        txns = tuple(txn(file, digest) for file, digest in sorted(self._digests.items()))
        write = Write(txns, self._lake.stamp, metadata, writer=self._lake.writer)
        if not self._plan.is_new or self._lake.root.folder is None:
            return self._commit(adds, write)
        made = _below(self._lake.root, f"{self._base}/made")
        shutil.rmtree(made.uri, ignore_errors=True)
        _copy(self._root, made, path, adds)
        handle = tables.create(made, self._plan.dataset, Write(stamp=self._lake.stamp))
        writing.commit_files(handle, adds, "append", write)
        _rename(made.of(path), self._lake.root.of(path), name)
        return Commit(name, handle.version(), "migrate", 0, metadata)

    def _append(self, handle: DeltaTable, footer: Footer) -> None:
        name, faults = self._plan.dataset.name, list[LakeError]()
        entry = txn(footer.file.name, self._digests[footer.file.name])
        metadata = {"file": footer.file.name}
        write = Write((entry,), self._lake.stamp, metadata, writer=self._lake.writer)
        source = _Watched(lambda: rows.converted(footer, self._plan.schema), faults)
        try:
            commit = writing.append(handle, name, source.reader, write)
            if commit.skipped == "no rows":
                writing.note(handle, name, write)
        except LakeError as error:
            if faults:
                raise faults[0] from error  # what the writer says of it does not name the file
            raise

    def _commit(self, adds: list[AddAction], write: Write) -> Commit:
        name, root = self._plan.dataset.name, self._lake.root
        start = Write((Txn(APPLICATION, int(self.id, 16) >> 1),), self._lake.stamp)
        if not tables.exists(root, name):
            tables.create(root, self._plan.dataset, start)
        handle = tables.open_table(root, name)
        if self._plan.added:
            _add_columns(handle, self._plan)
        _copy(self._root, root, self._plan.dataset.path, adds)

        def attempt() -> Commit:
            if any(state(handle, file, d) != "new" for file, d in self._digests.items()):
                raise LakeError(
                    f"files for {name} were migrated meanwhile", hint="run the migration again"
                )
            with explained(f"{name} was not written", LakeError):
                writing.commit_files(handle, adds, "append", write)
            return Commit(name, handle.version(), "migrate", 0, write.metadata)

        return writing.repeated(handle, attempt)


class _Watched:
    """Streams that remember what broke them: a writer in Rust passes only the text on."""

    def __init__(self, opened: Callable[[], Any], faults: list[LakeError]) -> None:
        self._opened = opened
        self._faults = faults

    def reader(self) -> Any:
        inner = self._opened()
        return type(inner).from_batches(inner.schema, self._batches(inner))

    def _batches(self, inner: Any) -> Iterator[Any]:
        try:
            yield from inner
        except LakeError as error:
            self._faults.append(error)
            raise


def content_of(handle: DeltaTable, plan: MigrationPlan) -> RowSums:
    """Checksums of the rows of a table."""
    content = RowSums(plan.schema, by_column=True)
    for batch in scan(handle, plan.dataset.name):
        content.add(batch)
    return content


@contextmanager
def alone(lake: Tables, name: str) -> Iterator[None]:
    """Hold the migration into a dataset; on an object store the commit alone decides.

    Raises:
        Conflict: Another process migrates into it.
    """
    folder = lake.root.folder
    if folder is None:
        yield
        return
    path = folder / f"{_place(name)}.lock"
    lock = FileLock(path, f"the migration into {name}")
    try:
        lock.acquire()
    except LakeError:
        pid = read_json(path).get("pid", "?")
        raise Conflict(
            f"process {pid} migrates into {name}", hint="wait until it has ended"
        ) from None
    try:
        yield
    finally:
        lock.release()


@contextmanager
def copying(lake: Tables, name: str) -> Iterator[Path]:
    """A folder for a copy of the source, which goes when the block ends; the next run uses what a killed one left.

    It lies beside the staging tables; a lake that is a bucket has no room for it, so there it is one of this machine.
    """
    if lake.root.folder is None:
        with tempfile.TemporaryDirectory(prefix="lakeshelf-migrate-") as made:
            yield Path(made)
        return
    place = lake.root.folder / f"{_place(name)}.copy"
    with explained(f"the copy for {name} has no place", StorageError):
        place.mkdir(parents=True, exist_ok=True)
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def tidy(lake: Tables, name: str, kept: str | None = None) -> None:
    """Remove the staging tables of a dataset but one."""
    files, base = filesystem(lake.root)
    with explained(f"staging tables of {name} cannot be removed", StorageError):
        from pyarrow import fs  # noqa: PLC0415 - slow to import

        left = fs.FileSelector(f"{base}/{_place(name)}", allow_not_found=True)
        for info in files.get_file_info(left):
            if info.base_name != kept:
                files.delete_dir(info.path)
        if kept is None and files.get_file_info(left.base_dir).type == fs.FileType.Directory:
            files.delete_dir(left.base_dir)


def _id(plan: MigrationPlan, digests: Mapping[str, int]) -> str:
    identity = json.dumps(
        [
            [[f.name, str(f.type), f.nullable] for f in plan.schema],
            plan.dataset.partition_by,
            sorted(digests.items()),
        ]
    )
    return hashlib.sha256(identity.encode()).hexdigest()[:16]


def _place(name: str) -> str:
    return f"{FOLDER}/{name.replace('/', '.')}"


def _below(root: Root, path: str) -> Root:
    return replace(root, uri=root.of(path))


def _adds(root: Root, path: str) -> Iterator[AddAction]:
    """Files that a staging table is made of; it was appended to and nothing else."""
    files, base = filesystem(root)
    from pyarrow import fs  # noqa: PLC0415 - slow to import

    log = fs.FileSelector(f"{base}/{path}/{LOG}")
    for info in sorted(files.get_file_info(log), key=lambda info: info.path):
        if not info.path.endswith(".json"):
            continue
        with files.open_input_stream(info.path) as stream:
            actions = map(json.loads, stream.read().splitlines())
            yield from (_action(action["add"]) for action in actions if "add" in action)


def _action(add: Mapping[str, Any]) -> AddAction:
    return AddAction(
        unquote(add["path"]),  # delta-rs encodes it when it writes it to the log
        add["size"],
        add["partitionValues"],
        add["modificationTime"],
        True,
        add["stats"],
    )


def _add_columns(handle: DeltaTable, plan: MigrationPlan) -> None:
    from deltalake import Schema  # noqa: PLC0415 - for one call

    known = {field.name for field in handle.schema().fields}
    missing = [f for f in Schema.from_arrow(plan.schema).fields if f.name not in known]
    if missing:
        handle.alter.add_columns(missing)


def _copy(source: Root, target: Root, path: str, adds: Sequence[AddAction]) -> None:
    """Put the files of the staging table into the target's folder, where no commit knows them yet."""
    with explained(f"the files of {path} cannot be published", StorageError):
        if source.folder is not None and target.folder is not None:
            for add in adds:
                _link(source.folder / path / add.path, target.folder / path / add.path)
            return
        files, base = filesystem(source)
        _, to = filesystem(target)
        for add in adds:
            files.copy_file(f"{base}/{path}/{add.path}", f"{to}/{path}/{add.path}")


def _link(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():
        return
    try:
        os.link(source, target)
    except OSError:
        part = target.with_name(f".{target.name}.part")
        shutil.copyfile(source, part)
        part.replace(target)


def _rename(source: str, target: str, name: str) -> None:
    Path(target).parent.mkdir(parents=True, exist_ok=True)
    try:
        Path(source).rename(target)
    except OSError as error:
        raise Conflict(
            f"{target} holds files that are no table", hint=f"move them away, or rename {name}"
        ) from error
