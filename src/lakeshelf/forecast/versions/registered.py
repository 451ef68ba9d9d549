"""The registry as it stands in a lake, and acts on it, each in one commit."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from lakeshelf.contracts import CATALOG, arrow
from lakeshelf.contracts.layers import Ops
from lakeshelf.contracts.retail.tables_models import TRAINING
from lakeshelf.errors import LakeshelfError
from lakeshelf.forecast.versions import folders, places
from lakeshelf.forecast.versions.errors import WAY, VersionDamaged
from lakeshelf.forecast.versions.folders import Version
from lakeshelf.forecast.versions.registry import Attribution, Model, Registry, advance
from lakeshelf.lake import Lake
from lakeshelf.lake.place.errors import Conflict
from lakeshelf.lake.place.location import Place, Root
from lakeshelf.lake.rows import tables
from lakeshelf.lake.rows.port import ReadTables

if TYPE_CHECKING:
    from lakeshelf.reconcile.checks import Check

MODEL = "warehouse_optimizer"
"""The model that says how much to order."""
Change = Callable[[Registry], tuple[Model, ...]]
"""An act: the registry → rows that change, as `registry.py` has it."""


@dataclass(frozen=True)
class Registered:
    """The registry at one version of `ops/models`.

    Attributes:
        registry: All versions of the model.
        at: Version of the table; None: there is none.
    """

    registry: Registry
    at: int | None


def read(lake: ReadTables, model_name: str = MODEL) -> Registered:
    """The registry of a lake; without a table it is empty.

    Raises:
        RegistryDamaged: Its rows contradict each other.
        SchemaError: The table lacks columns of its contract.
    """
    if not tables.exists(lake.root, Ops.MODELS):
        return Registered(Registry({}), None)
    snapshot = lake.snapshot(Ops.MODELS)
    tables.require_whole(snapshot.handle, Ops.MODELS)
    rows = snapshot.scan(where=[("model_name", "=", model_name)]).read_all().to_pylist()
    return Registered(Registry.of(rows), snapshot.version)


def writer(root: Root | Place, who: str | None = None, why: str = "") -> Lake:
    """A lake whose tables of models can be written."""
    return Lake(root, who=who, why=why, writer=TRAINING)


def change(
    lake: Lake, act: Change, model_name: str = MODEL, attempts: int = 1
) -> tuple[Model, ...]:
    """Carry out an act, in one commit that follows the version which it was decided on.

    Args:
        lake: As `writer` gives it.
        act: What is done.
        model_name: The model.
        attempts: How often it is tried; more than once where the act does not depend on what others do.

    Returns:
        The rows that it changed; none: there was nothing to do.

    Raises:
        ActRefused: The status of a version does not allow it.
        Conflict: Another has changed the table meanwhile; nothing is written.
    """
    tables.ensure(lake.root, CATALOG.tables[Ops.MODELS])
    for _ in range(attempts - 1):
        with suppress(Conflict):
            return _changed(lake, act, model_name)
    return _changed(lake, act, model_name)


def _changed(lake: Lake, act: Change, model_name: str) -> tuple[Model, ...]:
    before = read(lake, model_name)
    changed = act(before.registry)
    if not changed:
        return ()
    schema = arrow.schema(CATALOG.tables[Ops.MODELS].columns)
    rows = pa.Table.from_pylist([model.row() for model in changed], schema)
    try:
        lake.merge(Ops.MODELS, rows, expected=before.at)
    except Conflict as error:
        raise Conflict(
            "another has changed the versions of models meanwhile",
            hint="look with `lakeshelf models list`, and do it again",
        ) from error
    return changed


def promote(root: Root | Place, name: str, act: Attribution) -> tuple[Model, ...]:
    """Make champion of a version that is challenger and has passed its gates.

    Returns:
        The rows that changed; none: another has changed what it is meanwhile.

    Raises:
        ActRefused: There is a gate that it did not pass.
        Conflict: Others change the table again and again.
    """

    def advanced(known: Registry) -> tuple[Model, ...]:
        challenger = known.challenger
        is_it = challenger is not None and challenger.model_version == name
        return advance(known, name, act) if is_it else ()

    return change(writer(root, who=act.actor), advanced, attempts=3)


def version(lake: ReadTables, name: str, model_name: str = MODEL) -> Version:
    """A registered version, after all of it was looked through.

    Raises:
        ActRefused: None of that name is registered.
        VersionDamaged: Its files are not those that were registered.
    """
    return opened(lake.root, read(lake, model_name).registry.model(name))


def opened(root: Root | Place, model: Model) -> Version:
    """A version by its row, after all of it was looked through.

    Raises:
        VersionDamaged: Its files are not those that were registered; what to do follows from its status.
    """
    folder = places.at(root, model.model_name, model.model_version)
    try:
        return folders.read(folder, model.model_version, model.card_sha256)
    except VersionDamaged as error:
        raise VersionDamaged(error.message, hint=f"{WAY}; or {_without(model)}") from error


def looked_through(lake: ReadTables, name: str, act: Attribution) -> Change:
    """`advance` of a version, which is refused unless its files are those that were registered."""

    def step(known: Registry) -> tuple[Model, ...]:
        changed = advance(known, name, act)
        opened(lake.root, known.model(name))
        return changed

    return step


def _without(model: Model) -> str:
    """How a shop does without a version."""
    match model.status:
        case "champion":
            return "go back with `lakeshelf models rollback`"
        case "retired":
            return f"refuse it with `lakeshelf models retire {model.model_version} --for-good`"
        case _:
            return f"take it out of use with `lakeshelf models retire {model.model_version}`"


def files_check(lake: ReadTables, model_name: str = MODEL) -> Check:
    """M4: the files of each version that decides, or may have decided, are those that were registered.

    Raises:
        RegistryDamaged: The registry contradicts itself.
    """
    from lakeshelf.reconcile.checks import SAMPLES, Check  # noqa: PLC0415 - with it comes an extra

    deciders = read(lake, model_name).registry.deciders
    damages = tuple(text for model in deciders if (text := _damage(lake, model)))
    return Check(
        "M4 files",
        "files of champions and of former ones match their hashes",
        len(deciders),
        len(deciders) - len(damages),
        len(damages),
        damages[:SAMPLES],
    )


def _damage(lake: ReadTables, model: Model) -> str | None:
    """What is wrong with the files of a version."""
    try:
        opened(lake.root, model)
    except LakeshelfError as error:
        return str(error)
    return None
