"""Uploads: a file as it came, bounded, hashed and kept."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import PurePosixPath
from typing import get_args

from lakeshelf.governance.domain.editing.files import Mode
from lakeshelf.governance.errors import GovernanceError, refused
from lakeshelf.governance.metadata.tables.work import Upload
from lakeshelf.governance.services.access import require_right
from lakeshelf.governance.services.context import Caller, Context, record
from lakeshelf.governance.services.datasets import table_of
from lakeshelf.ingestion.formats import formats
from lakeshelf.lake.place import storage
from lakeshelf.lake.place.errors import StorageError, explained
from lakeshelf.lake.place.location import Root

MOST_BYTES = 100 * 1024 * 1024
"""Bytes of an upload."""
RECEIVED = "received"
_LONGEST_NAME = 200
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def receive(
    context: Context,
    caller: Caller,
    project: str,
    dataset: str,
    file_name: str,
    chunks: Iterable[bytes],
    *,
    mode: Mode = "upsert",
) -> Upload:
    """Keep a file that somebody sends; `load` makes a change request of it.

    Args:
        context: What it stands on.
        caller: Who sends it.
        project: The project.
        dataset: The dataset that it is for.
        file_name: Its name, whose ending says the format; it names nothing in the lake.
        chunks: Its content, of which no more than `MOST_BYTES` are taken.
        mode: `upsert` by key, `append`, or `replace`.

    Raises:
        GovernanceError: `not_found`, `forbidden`, `upload_invalid`: another format; `body_too_large`.
    """
    _require_mode(mode)
    with context.metadata.reading() as tx:
        require_right(tx, caller, project, "import")
        table = table_of(context, tx, project, dataset)
    name = shown_name(file_name)
    format_, version = format_of(name), table.opened().version
    upload_id, now = context.new_id(), context.clock()
    folder = table.folder.upload(upload_id)
    try:
        size, digest = _kept(context.root, raw_path(folder, format_), chunks)
        place = (project, dataset, caller.user, name, format_, mode, size, digest)
        with context.metadata.transaction() as tx:
            require_right(tx, caller, project, "import")
            upload = tx.uploads.add(Upload(upload_id, *place, RECEIVED, version, {}, now, now))
            details = {"upload": upload_id, "file": name, "sha256": digest}
            record(
                tx, caller, "upload.received", now,
                project=project, dataset=dataset, details=details,
            )  # fmt: skip
    except BaseException:
        storage.remove(context.root, folder)
        raise
    return upload


def raw_path(folder: str, format_: str) -> str:
    """Where the file of an upload lies."""
    return f"{folder}/raw.{format_}"


def content_of(context: Context, upload: Upload) -> bytes:
    """The file of an upload.

    Raises:
        GovernanceError: `storage_unavailable`: it is not what was uploaded.
    """
    path = raw_path(context.folder(upload.project, upload.dataset).upload(upload.id), upload.format)
    files, base = storage.filesystem(context.root)
    with (
        explained(f"{path} of {context.root} cannot be read", StorageError),
        files.open_input_stream(f"{base}/{path}") as stream,
    ):
        content: bytes = stream.read()
    if hashlib.sha256(content).hexdigest() != upload.sha256:
        raise refused(
            "storage_unavailable",
            f"the file of upload {upload.id} is not what was uploaded",
            hint="upload it again",
        )
    return content


def shown_name(name: str) -> str:
    """The last part of a file's name, as it can be shown."""
    last = PurePosixPath(name.replace("\\", "/")).name
    return _CONTROL.sub("?", last)[-_LONGEST_NAME:]


def format_of(name: str) -> str:
    """The format that a name says.

    Raises:
        GovernanceError: `upload_invalid`: it is none that is imported.
    """
    format_ = formats.format_of(name)
    if format_ is None or name.lower().endswith(formats.PACKED):
        way = formats.way_of(name).removeprefix("; ").partition(" (")[0]
        raise refused(
            "upload_invalid",
            f"the format of {name[:80]!r} is none of {', '.join(formats.FORMATS)}",
            hint=way or "save it in one of them",
            file=name[:80],
        )
    return format_


def _kept(root: Root, path: str, chunks: Iterable[bytes]) -> tuple[int, str]:
    """Size and SHA-256 of what was written."""
    size, digest = 0, hashlib.sha256()
    with _written(root, path) as write:
        for chunk in chunks:
            size += len(chunk)
            if size > MOST_BYTES:
                raise _too_large()
            digest.update(chunk)
            write(chunk)
    return size, digest.hexdigest()


@contextmanager
def _written(root: Root, path: str) -> Iterator[Callable[[bytes], None]]:
    """A file that is written; what goes wrong outside of it keeps its own name."""
    files, base = storage.filesystem(root)
    what = f"{path} of {root} was not written"
    with explained(what, StorageError):
        files.create_dir(f"{base}/{path.rpartition('/')[0]}", recursive=True)
        stream = files.open_output_stream(f"{base}/{path}")

    def write(chunk: bytes) -> None:
        with explained(what, StorageError):
            stream.write(chunk)

    try:
        yield write
    finally:
        with explained(what, StorageError):
            stream.close()


def _require_mode(mode: str) -> None:
    if mode not in get_args(Mode):
        raise refused(
            "request_invalid",
            f"no mode {mode[:80]!r}",
            hint=f"there are {', '.join(get_args(Mode))}",
        )


def _too_large() -> GovernanceError:
    return refused(
        "body_too_large",
        f"the file has more than {MOST_BYTES:,} bytes",
        hint="split it, or save it as Parquet",
        most=MOST_BYTES,
    )
