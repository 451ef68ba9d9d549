"""Files of a lake, local or in a bucket, where Delta itself has no word for what is wanted of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pyarrow as pa

from lakeshelf.lake.place import object_stores, projects
from lakeshelf.lake.place.errors import StorageError, explained
from lakeshelf.lake.place.location import Root

if TYPE_CHECKING:
    from deltalake import DeltaTable
    from pyarrow.dataset import Dataset
    from pyarrow.fs import FileSystem

LOG = "_delta_log"


def table_names(root: Root) -> list[str]:
    """Names of the Delta tables of a lake: those in layers, and those of the datasets of projects."""
    return sorted({*layer_tables(root), *project_tables(root)})


def layer_tables(root: Root) -> list[str]:
    """Names of the Delta tables two levels below the root."""
    require_folders(root)
    with explained(f"the tables of {root} cannot be listed", StorageError):
        if root.folder is not None:
            return sorted(_name(log) for log in root.folder.glob(f"[a-z]*/*/{LOG}"))
        files, base = filesystem(root)
        layers = _folders(files, base)
        if not layers:
            _require_bucket(root)
        return sorted(
            f"{layer.base_name}/{table.base_name}"
            for layer in layers
            if layer.base_name[:1].islower()
            for table in _folders(files, layer.path)
            if _folders(files, table.path, LOG)
        )


def project_tables(root: Root) -> list[str]:
    """Names of the datasets of projects whose tables are there."""
    with explained(f"the projects of {root} cannot be listed", StorageError):
        if root.folder is not None:
            above = root.folder / projects.FOLDER
            logs = above.glob(f"*/{projects.DATASETS}/*/{projects.MAIN}/{LOG}")
            paths = [log.parent.relative_to(root.folder).as_posix() for log in logs]
        else:
            paths = list(_remote_mains(root))
        return sorted(name for name in map(projects.named, paths) if name is not None)


def is_table(root: Root, path: str) -> bool:
    """Whether a Delta table stands at a path below the root.

    Raises:
        StorageError: What reading the place meets.
    """
    if root.folder is not None:
        return (root.folder / path / LOG).is_dir()
    from deltalake import DeltaTable  # noqa: PLC0415 - slow to import, and local lakes do without

    with explained(f"{path} at {root} cannot be looked for", StorageError):
        return DeltaTable.is_deltatable(root.of(path), root.options)


def has_version(root: Root, path: str, version: int) -> bool:
    """Whether the log of the table at a path has an entry of a version: the cheapest way to see whether it moved."""
    entry = f"{path}/{LOG}/{version:020}.json"
    if root.folder is not None:
        return (root.folder / entry).is_file()
    files, base = filesystem(root)
    with explained(f"{path} at {root} cannot be looked for", StorageError):
        return str(files.get_file_info(f"{base}/{entry}").type.name) == "File"


def has_folder(root: Root, path: str) -> bool:
    """Whether a folder lies at a path below the root."""
    if root.folder is not None:
        return (root.folder / path).is_dir()
    files, base = filesystem(root)
    with explained(f"{path} at {root} cannot be looked for", StorageError):
        return str(files.get_file_info(f"{base}/{path}").type.name) == "Directory"


def require_folders(root: Root, path: str = "") -> None:
    """Raise `StorageError` for a file that stands where a folder should be, at a path below the root or above."""
    if root.folder is None:
        return
    place = root.folder / path
    if (file := next((one for one in (place, *place.parents) if one.is_file()), None)) is not None:
        raise StorageError(
            f"{file} is a file, where a folder should be",
            hint="name a folder, or move the file away",
        )


def place_of(handle: DeltaTable) -> tuple[Root, str]:
    """Root of the lake that a table lies in, and its path below it.

    That is the last two folders of its address, or the place of a project's dataset, unless the table says by its own
    name that it lies in a layer.
    """
    uri = handle.table_uri.rstrip("/")
    uri = unquote(uri.removeprefix("file://")) if uri.startswith("file://") else uri
    above, layer, name = uri.rsplit("/", 2)
    path = f"{layer}/{name}"
    in_project = projects.apart(uri)
    if in_project is not None and handle.metadata().name != f"{layer}.{name}":
        above, path = in_project
    return Root.at(above, handle._storage_options), path  # noqa: SLF001


def name_of(handle: DeltaTable) -> str:
    """Name of the dataset whose table it is, by its place."""
    _, path = place_of(handle)
    return projects.named(path) or path


def filesystem(root: Root) -> tuple[FileSystem, str]:
    """The file system of a lake, and the root's path in it.

    Raises:
        StorageError: An address of a kind that is not supported.
    """
    from pyarrow import fs  # noqa: PLC0415 - slow to import, and seldom needed

    if root.folder is not None:
        return fs.LocalFileSystem(), str(root.folder)
    scheme, _, path = root.uri.partition("://")
    if scheme not in ("s3", "s3a"):
        raise StorageError(f"no files can be listed at {root}", hint="use a folder or s3://")
    return _bucket(tuple(object_stores.access(root.options or {}).items())), path


@lru_cache(maxsize=8)
def _bucket(arguments: tuple[tuple[str, str], ...]) -> FileSystem:
    """The file system of a bucket; connections are kept, because each costs more than most requests."""
    from pyarrow import fs  # noqa: PLC0415 - slow to import

    return fs.S3FileSystem(
        **dict(arguments),
        allow_bucket_creation=False,
        allow_delayed_open=True,
        connect_timeout=object_stores.CONNECT_S,
        request_timeout=object_stores.REQUEST_S,
        retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=object_stores.ATTEMPTS),
    )


def dataset_of(handle: DeltaTable, paths: Sequence[str], schema: pa.Schema) -> Dataset:
    """Some files of a table as they lie there, pruned by their own statistics: for who knows which files it needs.

    Args:
        handle: The table, without deletion vectors and column mapping.
        paths: The files, as the log names them.
        schema: Columns of the table.
    """
    from pyarrow import dataset  # noqa: PLC0415 - slow to import

    if not paths:
        return dataset.dataset(schema.empty_table())
    root, place = place_of(handle)
    files, base = filesystem(root)
    partition_schema = pa.schema(
        [schema.field(column) for column in handle.metadata().partition_columns]
    )
    return dataset.dataset(
        [f"{base}/{place}/{unquote(path)}" for path in paths],
        schema=schema,
        format="parquet",
        filesystem=files,
        partitioning=dataset.partitioning(partition_schema, flavor="hive"),
        partition_base_dir=f"{base}/{place}",
    )


def remove(root: Root, path: str = "") -> None:
    """Remove what lies at a path below the root, or all of it; nothing where nothing is."""
    import shutil  # noqa: PLC0415 - slow to import, and seldom needed

    files, base = filesystem(root)
    with explained(f"{path or 'all'} of {root} was not removed", StorageError):
        if root.folder is not None:
            shutil.rmtree(root.folder / path, ignore_errors=True)
        else:
            files.delete_dir_contents(f"{base}/{path}".rstrip("/"), missing_dir_ok=True)


def set_aside(root: Root, path: str, place: str) -> None:
    """Move what lies at a path below the root to a place of which nothing is there yet."""
    from pyarrow import fs  # noqa: PLC0415 - slow to import

    files, base = filesystem(root)
    with explained(f"{path} of {root} was not moved to {place}", StorageError):
        if root.folder is not None:
            (root.folder / place).parent.mkdir(parents=True, exist_ok=True)
            (root.folder / path).rename(root.folder / place)
            return
        fs.copy_files(f"{base}/{path}", f"{base}/{place}", files, files)
    remove(root, path)


def is_empty(root: Root) -> bool:
    """Whether nothing lies below the root."""
    from pyarrow import fs  # noqa: PLC0415 - slow to import

    files, base = filesystem(root)
    with explained(f"{root} cannot be listed", StorageError):
        infos = files.get_file_info(fs.FileSelector(base, allow_not_found=True))
        if not infos:
            _require_bucket(root)
        return not infos


def _require_bucket(root: Root) -> None:
    """Tell a bucket that is not there from one in which nothing is.

    Raises:
        StorageError: There is none.
    """
    if root.folder is not None:
        return
    files, base = filesystem(root)
    bucket = base.partition("/")[0]
    if files.get_file_info(bucket).type.name == "NotFound":
        raise StorageError(
            f"{root}: there is no such bucket (bucket {bucket})",
            hint="create it, or correct the address",
        )


def _folders(files: FileSystem, path: str, name: str | None = None) -> list[Any]:
    from pyarrow import fs  # noqa: PLC0415

    listed = files.get_file_info(fs.FileSelector(path, allow_not_found=True))
    return [
        entry
        for entry in listed
        if entry.type == fs.FileType.Directory and name in (None, entry.base_name)
    ]


def _remote_mains(root: Root) -> Iterator[str]:
    """Paths of the tables of projects in a bucket."""
    files, base = filesystem(root)
    for project in _folders(files, f"{base}/{projects.FOLDER}"):
        for dataset in _folders(files, f"{project.path}/{projects.DATASETS}"):
            main = f"{dataset.path}/{projects.MAIN}"
            if _folders(files, main, LOG):
                yield main.removeprefix(f"{base}/")


def _name(log: Path) -> str:
    return f"{log.parent.parent.name}/{log.parent.name}"
