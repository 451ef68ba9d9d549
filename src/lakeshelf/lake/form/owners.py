"""Owners that a table names itself: nobody else writes it, by whatever door, and in whatever lake it lies.

Who owns a table of the product is said by its contract. A table that names its owner in its properties says it wherever
it is copied to, so it is looked up on the very handle that writes. The owner opens its door by `Lake(writer=…)`.
"""

from __future__ import annotations

from dataclasses import replace

from deltalake import DeltaTable

from lakeshelf.lake.form.dataset import PROPERTY, Dataset
from lakeshelf.lake.place import names
from lakeshelf.lake.place.errors import Conflict

OWNER = f"{PROPERTY}owner"
"""Property of a table that only its owner writes, set when it is created."""
GOVERNANCE = "governance"
_WAYS = {GOVERNANCE: "change it by a change request (`lakeshelf data edit {name}`)"}
_MENDING = {
    GOVERNANCE: "run `lakeshelf down`, put a whole copy of its folder back, run `lakeshelf up`, and have jobs "
    "hear all of it by `lakeshelf data publish {name} --all`"
}
_WAY = "ask its owner, or write a dataset of your own"


def owner_of(handle: DeltaTable) -> str | None:
    """The owner that a table names; None: it names none."""
    return handle.metadata().configuration.get(OWNER)


def require(handle: DeltaTable, name: str, writer: str | None) -> None:
    """Refuse whoever is not the owner that a table names.

    Args:
        handle: The table, as it is about to be written.
        name: The dataset.
        writer: The owner whose tables may be written; None: nobody's.

    Raises:
        Conflict: Others own it.
    """
    owner = owner_of(handle)
    if owner is not None and owner != writer:
        raise refusal(name, owner)


def refusal(name: str, owner: str) -> Conflict:
    """The error of a table that is another's."""
    way = _WAYS.get(owner, _WAY).format(name=name)
    return Conflict(f"{names.in_sql(name)} belongs to {owner}", hint=way)


def mending(owner: str | None, name: str) -> str | None:
    """What to do about damage of a table that only its owner writes; None: its owner has no way of its own."""
    way = None if owner is None else _MENDING.get(owner)
    return None if way is None else way.format(name=name)


def named(dataset: Dataset, handle: DeltaTable) -> Dataset:
    """The dataset, with the owner that its table names, whatever a catalogue says."""
    owner = owner_of(handle)
    return dataset if owner is None else replace(dataset, owner=owner, writers="one")
