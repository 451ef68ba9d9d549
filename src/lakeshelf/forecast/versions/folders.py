"""Versions of models: written once, and read only as they were written."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from typing import Any

from lakeshelf.forecast.frames import HEADS, Trained
from lakeshelf.forecast.versions import texts
from lakeshelf.forecast.versions.cards import (
    Card,
    FeatureReference,
    Features,
    Origin,
    parsed,
)
from lakeshelf.forecast.versions.errors import WAY, ModelError, VersionDamaged
from lakeshelf.forecast.versions.places import VersionFolder
from lakeshelf.lake.place.errors import Conflict

CARD, FEATURES, REFERENCE = "card.json", "features.json", "reference.json"
TEXTS: Mapping[str, str] = {f"{head}.txt": head for head in HEADS}
FILES = (*TEXTS, FEATURES, REFERENCE)
"""What a card has the hashes of."""
LARGEST, LARGEST_JSON = 64 * 2**20, 16 * 2**20
"""Bytes of a text, and of another file."""
KEPT = 4
"""Most versions that are not looked through again as long as their files are the same."""


@dataclass(frozen=True)
class Version:
    """A version that was looked through.

    Attributes:
        card: What it is.
        card_sha256: Hash of its card, which names the hashes of all other files; `ops/models` keeps it.
        trained: Its texts, which LightGBM can open.
        reference: How its features were distributed.
    """

    card: Card
    card_sha256: str
    trained: Trained
    reference: FeatureReference


def model_version(trained: Trained, trained_until: date) -> str:
    """Name of a version: the last day trained until, and 12 digits of a SHA-256.

    It is over the texts of the heads and the settings: among these are corrections, and with others the forecasts
    would be others.
    """
    texts_ = [texts.stored(trained.heads[head]) for head in HEADS]
    whole = json.dumps([texts_, _settings(trained)], sort_keys=True)
    return f"{trained_until:%Y%m%d}-{_digest(whole.encode())[:12]}"


def write(
    folder: VersionFolder, trained: Trained, reference: FeatureReference, origin: Origin
) -> Version:
    """Write a version, or take the one that is there when it has the same files.

    Args:
        folder: That of `model_version(trained, origin.trained_until)`.
        trained: The model.
        reference: How its features were distributed.
        origin: What else its card says.

    Returns:
        The version as it stands there; its card may be that of an earlier run.

    Raises:
        VersionDamaged: A text is not such as LightGBM writes, or what is there is damaged.
        ModelError: Another version of the same texts is there.
        StorageError: It cannot be written; nothing there looks like a version.
    """
    files = _contents(trained, reference, folder)
    hashes = {name: _digest(content) for name, content in files.items()}
    version = model_version(trained, origin.trained_until)
    card = Card(**dict(origin), settings=_settings(trained), model_version=version, files=hashes)
    if CARD not in folder.names():
        with suppress(Conflict):
            folder.publish({**files, CARD: card.content()})
    written = read(folder, version)
    if written.card.files != hashes:
        others = ", ".join(name for name in FILES if written.card.files[name] != hashes[name])
        raise ModelError(
            f"{folder} has the same trees with another {others}",
            hint="remove the folder if no row of ops/models names it, and train again",
        )
    return written


def read(
    folder: VersionFolder, version: str | None = None, card_sha256: str | None = None
) -> Version:
    """A version, after all of it was looked through.

    Args:
        folder: Where it is.
        version: What it has to be; None: whatever it says that it is.
        card_sha256: Hash of its card as `ops/models` has it; None: no row has one yet.

    Raises:
        VersionDamaged: Something is missing, changed, too large, a link, or no model of ours.
        StorageError: It cannot be read.
    """
    _hold_names(folder)
    content = folder.content(CARD, LARGEST_JSON)
    if card_sha256 is not None:
        _hold_hash(content, card_sha256, f"{folder}/{CARD}", "ops/models")
    card = parsed(Card, content, f"{folder}/{CARD}")
    if set(card.files) != set(FILES):
        raise VersionDamaged(f"{folder}/{CARD} names other files", hint=WAY)
    files = {name: _file(folder, name, card) for name in FILES}
    looked_through = _looked_through(_Contents(_digest(content), files, card, folder))
    _hold_version(looked_through.trained, card, version, folder)
    return looked_through


@dataclass(frozen=True)
class _Contents:
    """Files whose hashes are those of a card; the same card stands for the same files, byte for byte."""

    card_sha256: str
    files: Mapping[str, bytes] = field(compare=False, repr=False)
    card: Card = field(compare=False)
    folder: VersionFolder = field(compare=False)


@lru_cache(KEPT)
def _looked_through(of: _Contents) -> Version:
    """The version that files are, after their texts were looked through: once, and not again each time it is read."""
    trained = _trained(of.files, of.card, of.folder)
    place = f"{of.folder}/{REFERENCE}"
    reference = parsed(FeatureReference, of.files[REFERENCE], place)
    if not reference.fits(trained.columns):
        raise VersionDamaged(f"{place} is of other columns or bins", hint=WAY)
    return Version(of.card, of.card_sha256, trained, reference)


def _hold_names(folder: VersionFolder) -> None:
    names = folder.names()
    if CARD not in names:
        what = "is no version: it has no card.json" if names else "is not there"
        raise VersionDamaged(f"{folder} {what}", hint=WAY)
    for name in sorted(names.symmetric_difference((*FILES, CARD))):
        what = "lacks" if name in FILES else "holds another file,"
        raise VersionDamaged(f"{folder} {what} {name[:80]!r}", hint=WAY)


def _hold_version(
    trained: Trained, card: Card, expected: str | None, folder: VersionFolder
) -> None:
    actual = model_version(trained, card.trained_until)
    for said in (card.model_version, expected or actual):
        if said != actual:
            raise VersionDamaged(f"{folder} is version {actual}, not {said}", hint=WAY)


def _file(folder: VersionFolder, name: str, card: Card) -> bytes:
    content = folder.content(name, LARGEST if name in TEXTS else LARGEST_JSON)
    _hold_hash(content, card.files[name], f"{folder}/{name}", CARD)
    return content


def _hold_hash(content: bytes, expected: str, place: str, source: str) -> None:
    if (actual := _digest(content)) != expected:
        raise VersionDamaged(
            f"{place} was changed: its SHA-256 is {actual}, and {source} says {expected}", hint=WAY
        )


def _trained(files: Mapping[str, bytes], card: Card, folder: VersionFolder) -> Trained:
    columns = parsed(Features, files[FEATURES], f"{folder}/{FEATURES}").read()
    heads = {}
    for name, head in TEXTS.items():
        heads[head] = files[name].decode("utf-8", "replace")
        texts.check(heads[head], columns, head, f"{folder}/{name}")
    return Trained(columns, heads, card.settings)


def _contents(
    trained: Trained, reference: FeatureReference, folder: VersionFolder
) -> dict[str, bytes]:
    """Name → content of all files but the card, after the texts were looked through."""
    files = {}
    for name, head in TEXTS.items():
        text = texts.stored(trained.heads[head])
        texts.check(text, trained.columns, head, f"{folder}/{name}")
        files[name] = text.encode()
    features = Features.of(trained.columns).content()
    return {**files, FEATURES: features, REFERENCE: reference.content()}


def _settings(trained: Trained) -> dict[str, Any]:
    """Settings as a card has them, where a list is a tuple."""
    return {name: _setting(value) for name, value in trained.settings.items()}


def _setting(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    return tuple(value) if isinstance(value, list) else value


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
