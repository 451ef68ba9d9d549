"""Declared models of what stands beside a version's texts: its card, its columns, its reference distribution.

Of a file from elsewhere nothing else gets in: other fields, other types, numbers that are not finite, and texts, lists
and depths beyond these bounds are refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from lakeshelf.forecast.frames import Columns
from lakeshelf.forecast.versions.errors import WAY, VersionDamaged

NAME = r"^[a-z][a-z0-9_]{0,62}$"
VERSION = r"^\d{8}-[0-9a-f]{12}$"
"""Last day trained until, and the beginning of the SHA-256 over the model's texts and settings."""
Name = Annotated[str, Field(pattern=NAME)]
Text = Annotated[str, Field(max_length=200)]
Sha = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Share = Annotated[float, Field(ge=0, le=1)]
Scalar = bool | int | float | Text | None
Setting = (
    Scalar
    | Annotated[tuple[Scalar, ...], Field(max_length=1_000)]
    | Annotated[Mapping[Text, Scalar], Field(max_length=100_000)]
)
"""Of a training; a mapping holds corrections, such as a factor a store."""


class Declared(BaseModel):
    """What is read as it is declared, or refused."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)

    def content(self) -> bytes:
        """The file of it; the same values are the same bytes."""
        return self.model_dump_json(indent=1).encode() + b"\n"


class NumberColumn(Declared):
    """A column of numbers; null is unknown."""

    name: Name
    type: Literal["number"] = "number"


class Category(Declared):
    """A column of texts, whose places among the values are its codes."""

    name: Name
    type: Literal["category"] = "category"
    values: Annotated[tuple[Text, ...], Field(max_length=100_000)]


class Features(Declared):
    """`features.json`: the columns that a model reads, in its order; no other column may reach it."""

    format: Literal[1] = 1
    columns: Annotated[
        tuple[Annotated[NumberColumn | Category, Field(discriminator="type")], ...],
        Field(min_length=1, max_length=1_000),
    ]

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        kinds = [column.type for column in self.columns]
        if kinds != sorted(kinds, reverse=True):
            raise ValueError("a category stands before a number")
        if len({column.name for column in self.columns}) < len(kinds):
            raise ValueError("a column is there twice")
        sets = [column.values for column in self.columns if isinstance(column, Category)]
        if any(len(set(values)) < len(values) for values in sets):
            raise ValueError("a category has a value twice")
        return self

    @classmethod
    def of(cls, columns: Columns) -> Features:
        """The file of columns."""
        numbers = [NumberColumn(name=name) for name in columns.numeric]
        categories = [
            Category(name=name, values=tuple(values)) for name, values in columns.categories.items()
        ]
        return cls(columns=(*numbers, *categories))

    def read(self) -> Columns:
        """The columns of the file."""
        return Columns(
            numeric=tuple(one.name for one in self.columns if isinstance(one, NumberColumn)),
            categories={one.name: one.values for one in self.columns if isinstance(one, Category)},
        )


class FeatureReference(Declared):
    """`reference.json`: how features were distributed when the model was trained.

    Attributes:
        edges: Column → bounds between its bins, rising; none for a category, whose bins are its values.
        shares: Store, or "" for all of them → column → share of rows in each bin; the last bin is the unknown.
    """

    format: Literal[1] = 1
    edges: Mapping[Name, Annotated[tuple[float, ...], Field(max_length=100)]]
    shares: Mapping[Text, Mapping[Name, Annotated[tuple[Share, ...], Field(max_length=100_001)]]]

    @model_validator(mode="after")
    def _whole(self) -> Self:
        for store, columns in self.shares.items():
            for name, shares in columns.items():
                if abs(sum(shares) - 1) > 1e-6:
                    raise ValueError(f"shares of {name} in store {store!r} do not add up to 1")
        if any(list(edges) != sorted(set(edges)) for edges in self.edges.values()):
            raise ValueError("edges do not rise")
        return self

    def fits(self, columns: Columns) -> bool:
        """Whether it is of these columns, and of each has its bins and the unknown."""
        bins = {name: len(edges) + 1 for name, edges in self.edges.items()}
        bins |= {name: len(values) for name, values in columns.categories.items()}
        return set(self.edges) == set(columns.names) and all(
            {name: len(shares) - 1 for name, shares in of.items()} == bins
            for of in self.shares.values()
        )


class Pinned(Declared):
    """A dataset as a training read it."""

    dataset: Text
    version: Annotated[int, Field(ge=0)]
    fingerprint: Text


class CardFold(Declared):
    """Days of a fold: labels of its training end before its test begins (M6)."""

    first_label_day: date
    last_label_day: date
    first_test_day: date
    last_test_day: date
    rows: Annotated[int, Field(ge=0)]

    @model_validator(mode="after")
    def _apart(self) -> Self:
        if not self.last_label_day < self.first_test_day:
            raise ValueError(
                f"the fold of {self.first_test_day} is tested on days that it was trained on"
            )
        return self


class Score(Declared):
    """A metric of a contender, as in `ops/model_scores`; null: it is not defined there.

    A fold is named by its first test day.
    """

    fold: date
    segment: Text
    metric: Text
    contender: Text
    value: float | None
    rows: Annotated[int, Field(ge=0)]


class CardGate(Declared):
    """A gate, what was measured, and the bound; null: nothing could be measured."""

    name: Text
    value: float | None
    bound: float | None
    passed: bool


class Origin(Declared):
    """Where a version comes from: what a card says beside the version itself.

    Attributes:
        model_name: Name of the model.
        trained_until: Last day whose labels were read.
        run_id: Run in `ops/runs`.
        inputs: What the run read.
        code_sha256: Hash of the code that trained it.
        lock_sha256: Hash of the lock of its libraries; null where it was installed without one.
        folds: Folds of the scores.
        scores: Scores of the model and of every baseline.
        gates: What it had to pass.
    """

    model_name: Name
    trained_until: date
    run_id: Text
    inputs: Annotated[tuple[Pinned, ...], Field(max_length=1_000)]
    code_sha256: Sha
    lock_sha256: Sha | None = None
    folds: Annotated[tuple[CardFold, ...], Field(max_length=1_000)] = ()
    scores: Annotated[tuple[Score, ...], Field(max_length=100_000)] = ()
    gates: Annotated[tuple[CardGate, ...], Field(max_length=1_000)] = ()


class Card(Origin):
    """`card.json`: what a version is; a folder without one is no version.

    Attributes:
        model_version: Its name, which follows from its texts and settings.
        settings: How it was trained, with its seed.
        files: Name of every other file → hash of its content.
    """

    format: Literal[1] = 1
    model_version: Annotated[str, Field(pattern=VERSION)]
    settings: Annotated[Mapping[Name, Setting], Field(max_length=1_000)]
    files: Annotated[Mapping[Text, Sha], Field(max_length=100)]


_Kind = TypeVar("_Kind", bound=Declared)


def parsed(kind: type[_Kind], content: bytes, place: object) -> _Kind:
    """A file as it is declared.

    Args:
        kind: What it should be.
        content: What it holds.
        place: Where it stands, for the error.

    Raises:
        VersionDamaged: It is something else; the message names the field.
    """
    try:
        return kind.model_validate_json(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(map(str, first["loc"]))[:80] or "the file"
        raise VersionDamaged(f"{place}: {field}: {first['msg'][:200]}", hint=WAY) from None
