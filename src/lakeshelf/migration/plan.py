"""The plan: what would be migrated, into which columns, what is converted, and what stands in the way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.parquet as pq

from lakeshelf.errors import first_line
from lakeshelf.lake.form import kinds, owners
from lakeshelf.lake.form.dataset import PROPERTY, Dataset
from lakeshelf.lake.form.schemas import is_lossless
from lakeshelf.lake.place import layers
from lakeshelf.lake.place.errors import Conflict, Damaged, NameRefused, SchemaError
from lakeshelf.lake.place.names import checked
from lakeshelf.lake.rows import tables
from lakeshelf.lake.rows.port import Tables
from lakeshelf.migration import types
from lakeshelf.migration.files import SourceFile, discover
from lakeshelf.migration.types import Unfit

Mode = Literal["strict", "merge"]
_CONSTRAINT = "delta.constraints."


@dataclass(frozen=True)
class Options:
    """How files become rows.

    Attributes:
        partitions: Types of columns that folders name; the others' are inferred.
        hive: Whether folders `column=value` are partitions.
        schema: `strict`: files that differ are refused; `merge`: columns are widened, and missing values are null.
        assume_utc: Whether times without a zone are UTC.
    """

    partitions: Mapping[str, pa.DataType] = field(default_factory=dict)
    hive: bool = True
    schema: Mode = "strict"
    assume_utc: bool = False


@dataclass(frozen=True)
class Drift:
    """How a file differs from the columns that are expected."""

    file: str
    column: str
    actual: str
    expected: str

    def __str__(self) -> str:
        return f"{self.file}: column {self.column} is {self.actual}, expected is {self.expected}"


@dataclass(frozen=True)
class Conversion:
    """A column whose type is another in Delta."""

    column: str
    source_type: str
    becomes: str


@dataclass(frozen=True)
class Footer:
    """What the footer of a file says.

    Attributes:
        file: The file.
        rows: Rows.
        schema: Columns as the file has them, those of its folders not among them.
        int96: Columns that hold times of the old 96-bit kind.
    """

    file: SourceFile
    rows: int
    schema: pa.Schema
    int96: frozenset[str]


@dataclass(frozen=True)
class MigrationPlan:
    """What would be migrated.

    Attributes:
        dataset: The target, with the schema that its rows get.
        is_new: Whether there is no table of it yet.
        files: Files in order.
        added: Columns that a table which is there gets.
        drift: Differences between files.
        conversions: Types that become others.
        problems: What stands in the way; empty: nothing.
    """

    dataset: Dataset
    is_new: bool
    files: tuple[Footer, ...]
    added: tuple[str, ...] = ()
    drift: tuple[Drift, ...] = ()
    conversions: tuple[Conversion, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def schema(self) -> pa.Schema:
        """Columns of the target."""
        assert self.dataset.schema is not None
        return self.dataset.schema

    def require(self) -> None:
        """Raise the first problem.

        Raises:
            SchemaError: There are problems.
        """
        if self.problems:
            more = len(self.problems) - 1
            rest = f" ({more} more; `--dry-run` lists them)" if more else ""
            raise SchemaError(self.problems[0] + rest, hint="nothing was written")


def footers(lake: Tables, source: Path, name: str, options: Options) -> tuple[Footer, ...]:
    """What the footers of a source's files say.

    Raises:
        NotFound: There are no files.
        Damaged: A file that is no parquet file.
        NameRefused: The source lies in the target, or the target in it.
    """
    _require_apart(lake, source, name)
    return tuple(_footer(file) for file in discover(source, hive=options.hive))


def planned(lake: Tables, name: str, files: Sequence[Footer], options: Options) -> MigrationPlan:
    """The plan of a migration of files into a dataset.

    Raises:
        Conflict: A job owns the dataset.
    """
    dataset, is_new = _target(lake, name)
    return _Planning(dataset, files, options, fixed=name in lake.catalog).plan(is_new)


def _require_apart(lake: Tables, source: Path, name: str) -> None:
    folder = lake.root.folder
    if folder is None:
        checked(name)
        return
    path = layers.path_of(lake.root, checked(name))
    target, source_path = (folder / path).resolve(), source.resolve()
    if source_path.is_relative_to(target) or target.is_relative_to(source_path):
        raise NameRefused(
            f"{source_path} and the table {target} lie in each other",
            hint="move the files out first, or migrate into another dataset",
        )


def _target(lake: Tables, name: str) -> tuple[Dataset, bool]:
    known = lake.catalog[name] if name in lake.catalog else None  # noqa: SIM401 - `get` raises too
    if known is not None and known.writers == "one" and known.owner != lake.writer:
        raise Conflict(
            f"{name} is written by {known.owner} alone", hint="migrate into a dataset of your own"
        )
    if not tables.exists(lake.root, name):
        new = known or Dataset(name)
        layers.require_path(lake.root, name, new.path)
        return new, True
    handle = tables.open_table(lake.root, name)
    owners.require(handle, name, lake.writer)
    configuration = handle.metadata().configuration
    constraints = {
        key.removeprefix(_CONSTRAINT): text
        for key, text in configuration.items()
        if key.startswith(_CONSTRAINT)
    }
    kept = {
        key: text for key, text in configuration.items() if key.startswith(("delta.", PROPERTY))
    }
    properties = {key: text for key, text in kept.items() if not key.startswith(_CONSTRAINT)}
    dataset = tables.described(handle, name)
    if known is not None:
        dataset = replace(known, schema=dataset.schema, partition_by=dataset.partition_by)
    return replace(dataset, constraints=constraints, properties=properties), False


def _footer(file: SourceFile) -> Footer:
    try:
        with pq.ParquetFile(file.path) as opened:
            physical = [opened.schema.column(i) for i in range(len(opened.schema))]
            int96 = {c.path.partition(".")[0] for c in physical if c.physical_type == "INT96"}
            rows, schema = opened.metadata.num_rows, opened.schema_arrow
    except (pa.ArrowException, OSError, ValueError) as error:
        raise Damaged(
            f"{file.name} cannot be read: {first_line(error)}",
            hint="restore it, or take it out of the source; nothing was written",
        ) from error
    return Footer(file, rows, schema, frozenset(int96))


class _Planning:
    """Puts a plan together; what stands in the way is gathered, so that one look shows all of it."""

    def __init__(
        self, dataset: Dataset, footers: Sequence[Footer], options: Options, *, fixed: bool
    ) -> None:
        self.dataset = dataset
        self.fixed = fixed
        self.footers = footers
        self.options = options
        self.problems: dict[str, None] = {}
        self.drift: list[Drift] = []
        self.conversions: dict[Conversion, None] = {}
        self.unfit: set[str] = set()

    def plan(self, is_new: bool) -> MigrationPlan:
        hive = self._hive()
        converted = [self._converted(footer, hive) for footer in self.footers]
        expected = self._expected(converted, hive)
        for footer, schema in zip(self.footers, converted, strict=True):
            self._compare(footer, schema, expected, hive)
        schema = self._schema(converted, expected, hive)
        added = [f.name for f in schema if self.dataset.schema and f.name not in expected]
        if added and self.fixed:
            self._problem(f"{self.dataset.name} has no column {', '.join(added)} by its contract")
        by = self.dataset.partition_by or (tuple(hive) if self.dataset.schema is None else ())
        self._require_columns(schema, by)
        return MigrationPlan(
            replace(self.dataset, schema=schema, partition_by=by),
            is_new,
            tuple(self.footers),
            tuple(added),
            tuple(self.drift),
            tuple(self.conversions),
            tuple(self.problems),
        )

    def _problem(self, message: str) -> None:
        self.problems[message] = None

    def _hive(self) -> dict[str, pa.DataType]:
        """Columns that folders name → type: as declared, as the table has it, or as the values look."""
        if not self.footers:
            return {}
        first = self.footers[0].file
        names = list(first.partition)
        for footer in self.footers:
            if list(footer.file.partition) != names:
                had = ", ".join(footer.file.partition) or "none"
                self._problem(
                    f"{footer.file.name} has partitions {had}, {first.name} has {', '.join(names) or 'none'}"
                )
        for name in set(self.options.partitions) - set(names):
            self._problem(f"no folder names a partition {name!r}")
        kinds = {name: self._partition_type(name) for name in names}
        for footer in self.footers:
            self._require_values(footer.file, kinds)
        return kinds

    def _partition_type(self, name: str) -> pa.DataType:
        if name in self.options.partitions:
            return self.options.partitions[name]
        if self.dataset.schema is not None and name in self.dataset.schema.names:
            return self.dataset.schema.field(name).type
        return types.inferred([footer.file.partition.get(name) for footer in self.footers])

    def _require_values(self, file: SourceFile, kinds: Mapping[str, pa.DataType]) -> None:
        for name, kind in kinds.items():
            try:
                pa.scalar(file.partition.get(name), pa.string()).cast(kind)
            except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
                self._problem(f"{file.name}: {name}={file.partition[name]} is no {kind}")

    def _converted(self, footer: Footer, hive: Mapping[str, pa.DataType]) -> pa.Schema:
        fields = []
        for column in footer.schema:
            if column.name in hive:
                self._problem(
                    f"{footer.file.name} has the column {column.name} that its folder names too; "
                    f"`--no-hive` takes folders as plain folders"
                )
                continue
            try:
                kind = types.delta_type(column.type, assume_utc=self.options.assume_utc)
            except Unfit as unfit:
                self._problem(f"{footer.file.name}: column {column.name} is {unfit}")
                self.unfit.add(column.name)
                kind = pa.null()
            fields.append(pa.field(column.name, kind))
        return pa.schema(fields)

    def _expected(
        self, converted: Sequence[pa.Schema], hive: Mapping[str, pa.DataType]
    ) -> dict[str, pa.DataType]:
        """Columns to which files are compared: the table's, else those of the first file."""
        schema = self.dataset.schema
        if schema is None:
            return {f.name: f.type for f in converted[0]}
        for name, kind in hive.items():
            if name not in schema.names:
                self._problem(f"{self.dataset.name} has no column {name}, which folders name")
            elif not is_lossless(kind, schema.field(name).type):
                self._problem(f"{self.dataset.name} has {name} as {schema.field(name).type}")
        return {f.name: f.type for f in schema if f.name not in hive}

    def _compare(
        self,
        footer: Footer,
        schema: pa.Schema,
        expected: Mapping[str, pa.DataType],
        hive: Mapping[str, pa.DataType],
    ) -> None:
        actual = {f.name: f.type for f in schema}
        before = len(self.drift)
        for name in dict.fromkeys((*expected, *actual)):
            if name in hive:
                continue
            a, b = actual.get(name), expected.get(name)
            if a is None or b is None or not types.without_null(a).equals(types.without_null(b)):
                type_names = [str(kind) if kind is not None else "missing" for kind in (a, b)]
                self.drift.append(Drift(footer.file.name, name, *type_names))
        if self.options.schema == "strict":
            for drift in self.drift[before:]:
                self._problem(f"{drift}; `--schema merge` widens and fills")

    def _schema(
        self,
        converted: Sequence[pa.Schema],
        expected: Mapping[str, pa.DataType],
        hive: Mapping[str, pa.DataType],
    ) -> pa.Schema:
        kinds = dict(expected)
        for footer, schema in zip(self.footers, converted, strict=True):
            for column in schema:
                kinds[column.name] = self._widened(footer, column, kinds.get(column.name))
        kinds = {name: types.without_null(kind) for name, kind in kinds.items()}
        self._list_conversions(kinds)
        if self.dataset.schema is None:
            return pa.schema([*hive.items(), *kinds.items()])
        known = set(self.dataset.schema.names)
        return pa.schema(
            [*self.dataset.schema, *(pa.field(n, k) for n, k in kinds.items() if n not in known)]
        )

    def _widened(self, footer: Footer, column: pa.Field, known: pa.DataType | None) -> pa.DataType:
        if known is None:
            return column.type
        if self.dataset.schema is not None and column.name in self.dataset.schema.names:
            target_type = known if is_lossless(column.type, known) else None
        else:
            target_type = types.unified(known, column.type)
        if target_type is None:
            self._problem(
                f"{footer.file.name}: column {column.name} is {column.type}, "
                f"which does not go together with {known}; cast it in the file"
            )
            return known
        return target_type

    def _list_conversions(self, kinds: Mapping[str, pa.DataType]) -> None:
        for footer in self.footers:
            for column in footer.schema:
                target_type = kinds.get(column.name)
                source_type = "int96" if column.name in footer.int96 else str(column.type)
                if (
                    target_type is not None
                    and source_type != str(target_type)
                    and column.name not in self.unfit
                ):
                    self.conversions[Conversion(column.name, source_type, str(target_type))] = None

    def _require_columns(self, schema: pa.Schema, partition_by: Sequence[str]) -> None:
        folded = [name.lower() for name in schema.names]
        for column in schema:
            if reason := kinds.bad_name(column):
                self._problem(f"column {reason}; rename it in the files")
            if folded.count(column.name.lower()) > 1:
                self._problem(f"column {column.name} is there twice; capitals do not count")
            if column.name in kinds.RESERVED:
                self._problem(f"column {column.name} belongs to the change feed; rename it")
        if len(schema) <= len(partition_by):
            self._problem("the files have no columns besides their partitions")
