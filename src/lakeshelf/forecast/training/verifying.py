"""Whether a version is what it says: its files against their hashes, and the same training once more from its pins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import pyarrow as pa

from lakeshelf.forecast.demand.engine import BOUNDS, EngineBounds
from lakeshelf.forecast.demand.features import admitted
from lakeshelf.forecast.frames import HEADS, Trained
from lakeshelf.forecast.model.boosted import BoostingSettings
from lakeshelf.forecast.model.folds import usable
from lakeshelf.forecast.training import lessons, origins, trials
from lakeshelf.forecast.training.trials import BESIDE, Progress, silent
from lakeshelf.forecast.versions import folders, texts
from lakeshelf.forecast.versions.cards import Card
from lakeshelf.forecast.versions.folders import Version
from lakeshelf.lake.rows.conditions import Where
from lakeshelf.lake.rows.port import ReadTables
from lakeshelf.lake.rows.snapshot import At, Snapshot

STEPS = {"read": "read demand, make features", "fit": "train on all rows"}


class PinnedTables:
    """A lake as a training read it.

    Args:
        lake: The lake.
        versions: Dataset → version; others are read as they are.
    """

    def __init__(self, lake: ReadTables, versions: Mapping[str, int]) -> None:
        self._lake, self._versions = lake, versions
        self.root, self.catalog, self.clock = lake.root, lake.catalog, lake.clock
        self.dataset = lake.dataset

    def snapshot(self, name: str, at: At | None = None) -> Snapshot:
        """A dataset at its version."""
        return self._lake.snapshot(name, self._versions.get(name) if at is None else at)

    def read(
        self,
        name: str,
        at: At | None = None,
        columns: Sequence[str] | None = None,
        where: Where | None = None,
    ) -> pa.RecordBatchReader:
        """Rows of a dataset at its version."""
        return self.snapshot(name, at).scan(columns, where)


@dataclass(frozen=True)
class TrainingVerdict:
    """What a second training says.

    Attributes:
        version: The version.
        again: Name of what was trained now.
        heads: Heads whose texts differ.
        settings: Settings and corrections that differ.
        reference: Whether the distribution of features differs.
        code: Whether the code is another one.
        lock: Whether the libraries are locked otherwise.
    """

    version: str
    again: str
    heads: tuple[str, ...]
    settings: tuple[str, ...]
    reference: bool
    code: bool
    lock: bool

    @property
    def equal(self) -> bool:
        """Whether the same files were made."""
        return self.version == self.again and not self.reference

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {**asdict(self), "equal": self.equal}


def verify(
    lake: ReadTables, version: Version, progress: Progress = silent, bounds: EngineBounds = BOUNDS
) -> TrainingVerdict:
    """Train a version once more from what it read.

    Args:
        lake: The lake.
        version: The version, whose files were looked through.
        progress: Is told how far it is.
        bounds: Memory and threads of what is read.

    Raises:
        Vacuumed: What it read is not kept any more.
        MissingExtra: LightGBM is not installed.
    """
    card = version.card
    progress("read", 0, 1)
    pins = {pin.dataset: pin.version for pin in card.inputs}
    today = lessons.settled(card.trained_until)
    lesson = lessons.lesson(PinnedTables(lake, pins), today, bounds=bounds)
    rows = usable(admitted(lesson.rows, also=BESIDE))
    trained = trials.fitted(rows, trials.boosted(rows, settings_of(card), lesson.age), progress)
    return compared(version, trained, trials.usual(lesson.recent, trained) != version.reference)


def settings_of(card: Card) -> BoostingSettings:
    """How a version was trained."""
    names = {field.name for field in fields(BoostingSettings)}
    values: dict[str, Any] = {n: value for n, value in card.settings.items() if n in names}
    return BoostingSettings(**values)


def compared(version: Version, trained: Trained, reference: bool) -> TrainingVerdict:
    """What differs between a version and a model that was trained once more."""
    card, before = version.card, version.trained
    names = sorted({*before.settings, *trained.settings})
    return TrainingVerdict(
        card.model_version,
        folders.model_version(trained, card.trained_until),
        tuple(h for h in HEADS if texts.stored(trained.heads[h]) != texts.stored(before.heads[h])),
        tuple(n for n in names if before.settings.get(n) != trained.settings.get(n)),
        reference,
        card.code_sha256 != origins.code_sha256(),
        card.lock_sha256 != origins.lock_sha256(),
    )
