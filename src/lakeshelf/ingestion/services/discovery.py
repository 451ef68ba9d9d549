"""From what lies in `bronze/` to the manifest."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import timedelta

from lakeshelf import crash
from lakeshelf.errors import LakeError
from lakeshelf.ingestion.domain.found import FoundFile, Look, Waiting
from lakeshelf.ingestion.domain.manifest import File
from lakeshelf.ingestion.formats import formats
from lakeshelf.ingestion.services.workshop import Workshop
from lakeshelf.lake.rows.port import Tables

REGISTERED_AT_ONCE = 2_000
"""Files that one commit registers: hashing them takes about as long as the commit."""


def discover(
    shop: Workshop,
    settle: timedelta,
    pause: Callable[[float], object],
    datasets: Collection[str] = (),
) -> tuple[int, list[Waiting]]:
    """Register the files of `bronze/` that are not known yet.

    1. Look; a file that is younger than `settle` may still grow, so look once more after that time.
    2. Read what is declared of the folders; files of a folder whose declaration cannot be wait.
    3. Hash what does not look like a file that is known.
    4. Register what is new.

    Args:
        shop: What this worker works with.
        settle: Age from which a file is taken for whole.
        pause: Waits some seconds.
        datasets: Datasets to load; empty: all.

    Returns:
        How many files are new, and those that wait.
    """
    # 1.
    look = _settled_look(shop, settle, pause)
    waiting = list(look.waiting)
    # 2.
    targets, refused = _targets(shop, {file.folder for file in look.files})
    waiting += [
        Waiting(f.path, refused[f.folder], f.folder) for f in look.files if f.folder in refused
    ]
    files = [
        file
        for file in look.files
        if file.folder in targets and (not datasets or targets[file.folder] in datasets)
    ]
    # 3. and 4.
    known = shop.manifest.known() if files else set()
    unknown = [f for f in files if _stamp(f) not in known]
    new = 0
    for start in range(0, len(unknown), REGISTERED_AT_ONCE):
        part = unknown[start : start + REGISTERED_AT_ONCE]
        shop.progress("register", start, len(unknown))
        new += len(shop.manifest.resolve(list(_hashed(shop, part, targets, waiting))))
        crash.point("files_after_register")
    return new, waiting


def known_datasets(lake: Tables) -> set[str]:
    """Datasets that files were loaded into, or that a folder of `bronze/` is for."""
    shop = Workshop(lake)
    look = shop.bronze.discover(shop.now(), timedelta(0))
    folders = {file.folder for file in look.files} | {
        one.path.partition("/")[0] for one in look.waiting
    }
    targets, _ = _targets(shop, folders)
    return {*targets.values(), *(file.dataset for file in shop.manifest.files())}


def _stamp(file: FoundFile) -> tuple[object, ...]:
    """What tells a file that is known without reading it; the path of an upload holds its hash."""
    return (file.address, file.size, None if file.is_upload else file.modified_at)


def _settled_look(shop: Workshop, settle: timedelta, pause: Callable[[float], object]) -> Look:
    shop.progress("look", 0, 0)
    look = shop.bronze.discover(shop.now(), settle)
    if look.growing and settle:
        pause(settle.total_seconds())
        before = {file.path: file for file in look.growing}
        look = shop.bronze.discover(shop.now(), settle, before)
    return look


def _targets(shop: Workshop, folders: set[str]) -> tuple[dict[str, str], dict[str, str]]:
    """Folder → its dataset, and folder → why its files wait."""
    targets, refused = {}, {}
    for folder in sorted(folders):
        try:
            dataset = shop.bronze.declarations({folder})[folder].dataset
            why = shop.target(dataset).refusal()
        except LakeError as error:
            why = error.message
        if why:
            refused[folder] = why
        else:
            targets[folder] = dataset
    return targets, refused


def _hashed(
    shop: Workshop, files: Sequence[FoundFile], targets: dict[str, str], waiting: list[Waiting]
) -> Iterator[File]:
    for file in files:
        try:
            digest = shop.bronze.hash_of(file)
        except FileNotFoundError:
            continue
        except OSError as error:
            waiting.append(Waiting(file.path, f"it cannot be read: {error}"))
            continue
        yield registered(shop, file, targets[file.folder], digest)


def registered(shop: Workshop, file: FoundFile, dataset: str, digest: str) -> File:
    """The entry of a file in the manifest, before it has an id."""
    now = shop.now()
    return File(
        file_id=0,
        dataset=dataset,
        source="upload" if file.is_upload else "drop",
        path=file.name if file.is_upload else file.path,
        sha256=digest,
        size=file.size,
        format=str(formats.format_of(file.name)),
        created_at=now,
        updated_at=now,
        address=file.address,
        modified_at=None if file.is_upload else file.modified_at,
    )
