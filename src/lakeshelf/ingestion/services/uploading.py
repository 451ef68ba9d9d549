"""Uploads: files that somebody hands over, instead of dropping them into `bronze/`."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping

from lakeshelf.contracts.layers import BRONZE
from lakeshelf.ingestion.domain.found import UPLOADS, FoundFile, refusal
from lakeshelf.ingestion.domain.manifest import File
from lakeshelf.ingestion.errors import FileRefused
from lakeshelf.ingestion.services.discovery import registered
from lakeshelf.ingestion.services.workshop import Workshop
from lakeshelf.lake.rows.port import Tables

_NAME = re.compile(r"[^/\\\x00-\x1f\x7f]{1,200}")


def upload(lake: Tables, folder: str, name: str, content: bytes) -> File:
    """Keep a file and register it; the next scan loads it.

    The same name with the same content is the same file, which is registered once.

    Args:
        lake: The lake.
        folder: Folder below `bronze/`, which names the dataset.
        name: The file's own name; its ending says the format.
        content: What it holds.

    Returns:
        The file of the manifest.

    Raises:
        FileRefused: A name that is a path, hidden, or of no format that is loaded; nothing is kept.
    """
    shop = Workshop(lake)
    digest = hashlib.sha256(content).hexdigest()
    path = f"{folder}/{UPLOADS}/{digest}/{name}"
    file = FoundFile(path, f"{BRONZE}/{path}", len(content), shop.now())
    dataset = _dataset(shop, file)
    _require_acceptable(shop, file, dataset)
    shop.bronze.put(folder, name, content)
    shop.manifest.resolve([registered(shop, file, dataset, digest)])
    identity: Mapping[str, str] = {
        "dataset": dataset, "source": "upload", "path": name, "sha256": digest,
    }  # fmt: skip
    return shop.manifest.files([(column, "=", value) for column, value in identity.items()])[0]


def _dataset(shop: Workshop, file: FoundFile) -> str:
    if not _NAME.fullmatch(file.path.rpartition("/")[2]) or file.path.count("/") != 3:
        raise FileRefused(f"{file.path!r} is no path of an upload", hint="give a plain file name")
    if why := refusal(file):
        raise FileRefused(f"{file.name} is not taken: {why}")
    return shop.bronze.declarations({file.folder})[file.folder].dataset


def _require_acceptable(shop: Workshop, file: FoundFile, dataset: str) -> None:
    if why := shop.target(dataset).refusal():
        raise FileRefused(f"{file.name} is not taken: {why}")
