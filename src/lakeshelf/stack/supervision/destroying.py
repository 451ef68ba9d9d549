"""The end of a lake: its tables, its files and its local state are removed, and nothing else."""

from __future__ import annotations

import shutil
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from lakeshelf.contracts.layers import BRONZE
from lakeshelf.errors import ConfigurationError, LakeError
from lakeshelf.lake.place import leases, projects, storage
from lakeshelf.lake.place.claims import CLAIM, IDENTITY
from lakeshelf.lake.place.leases import LEASES
from lakeshelf.lake.place.location import Root
from lakeshelf.lake.place.locks import FileLock
from lakeshelf.lake.upkeep.repair import ASIDE
from lakeshelf.migration.staging import FOLDER as MIGRATIONS
from lakeshelf.settings import Settings
from lakeshelf.stack.supervision.supervisor import STACK_LOCK, running_stack

OWN = (CLAIM, ASIDE, MIGRATIONS, BRONZE)
"""What a lake holds beside its tables; its state may lie in it or elsewhere."""


IN_BUCKET = ("_checkpoints", LEASES)
"""What a lake in a bucket holds besides."""


@dataclass(frozen=True)
class Doomed:
    """What the end of a lake would remove.

    Attributes:
        name: What the lake is called: the last part of its place.
        tables: Its tables.
        folders: What they lie in, by path below its root; a project's dataset has more in its folder than the table.
        others: What it holds beside them, by path below its root.
        state: Files and folders of its local state.
    """

    name: str
    tables: tuple[str, ...]
    folders: tuple[str, ...]
    others: tuple[str, ...]
    state: tuple[Path, ...]


def doomed(settings: Settings) -> Doomed:
    """What belongs to the lake.

    Raises:
        ConfigurationError: Its place is a link, or holds no lake.
        LakeError: A stack runs on it, or, of a lake in a bucket, a driver anywhere.
    """
    root = Root.at(settings.lake_root)
    if root.folder is not None and root.folder.is_symlink():
        raise ConfigurationError(
            f"{root} is a link to {root.folder.resolve()}", hint="name that with --lake"
        )
    if running_stack(settings):
        raise LakeError(f"a stack runs on {root}", hint="run `lakeshelf down` first")
    if root.folder is None:
        for query, holder in leases.living(root).items():
            raise LakeError(
                f"query {query} of {root} is run by {holder}", hint="stop that driver with SIGTERM"
            )
    places = (settings.stack_dir, settings.checkpoint_dir, settings.state_dir / IDENTITY)
    state = tuple(path for path in places if isinstance(path, Path) and path.exists())
    tables = tuple(storage.table_names(root))
    if not tables and not state:
        raise ConfigurationError(f"{root} is no lake: it has no tables and no state of a stack")
    if root.folder is None:
        others: tuple[str, ...] = (*OWN, *IN_BUCKET)
    else:
        others = tuple(name for name in OWN if (root.folder / name).exists())
    in_projects = map(projects.folder, storage.project_tables(root))
    paths = (*storage.layer_tables(root), *in_projects)
    return Doomed(root.uri.rpartition("/")[2], tables, paths, others, state)


def destroy(settings: Settings, doomed: Doomed) -> list[str]:
    """Remove a lake; links are removed and never followed.

    Returns:
        What is left at its place because it is not the lake's.

    Raises:
        LakeError: Somebody holds the lake.
        OSError: Something cannot be removed.
    """
    root = Root.at(settings.lake_root)
    with ExitStack() as held:
        if settings.stack_dir.is_dir():
            held.enter_context(FileLock(settings.stack_dir / STACK_LOCK, "lakeshelf destroy"))
        for path in (*doomed.folders, *doomed.others):
            if root.folder is None:
                storage.remove(root, path)
            else:
                _remove(root.folder, path)
        for place in doomed.state:
            _remove(place.parent, place.name)
    if root.folder is None:
        _remove_empty(settings.state_dir)
        return []
    return _remove_empty(root.folder)


def _remove(above: Path, path: str) -> None:
    """Remove what lies at a path below a folder; the folders between go when nothing is left in them."""
    place = above
    for part in Path(path).parts:
        place = place / part
        if place.is_symlink() or place.is_file():
            place.unlink()
            break
    else:
        if place.is_dir():
            shutil.rmtree(place)
    for between in place.parents[: len(place.relative_to(above).parts) - 1]:
        if not any(between.iterdir()):
            between.rmdir()


def _remove_empty(folder: Path) -> list[str]:
    """Remove a folder in which nothing is; what is in it."""
    left = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    if not left and folder.is_dir():
        folder.rmdir()
    return left
