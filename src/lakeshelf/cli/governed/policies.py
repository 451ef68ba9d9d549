# ruff: noqa: PLC0415 - what is heavy is imported by the command that needs it
"""A policy that somebody sets where its dataset is governed: edits that others review."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from lakeshelf.errors import ConfigurationError
from lakeshelf.governance.domain.permissions import SHOP

if TYPE_CHECKING:
    from lakeshelf.governance.client import Dataset, Session
    from lakeshelf.lake.place.location import Place
    from lakeshelf.shop.policies import PolicyChange

KEY = "shelf_id"
STAMPS = (KEY, "actor", "version", "updated_at")
"""Fields of a message that its dataset writes by itself."""
Edit = dict[str, Any]


def edits(
    change: PolicyChange,
    chosen: Mapping[str, Any],
    row: Mapping[str, Any] | None,
    columns: Collection[str],
) -> list[Edit]:
    """Edits after which a dataset says what a message would say; none where it says so already.

    Args:
        change: The message, with all its fields.
        chosen: What somebody chose of it; the rest of a policy that is in force stays as the dataset has it.
        row: What the dataset says of the shelf; None: nothing.
        columns: Columns of the dataset; one that was made before a field of policies lacks it, and says nothing of it
            unless somebody chose it, which is refused with the column's name.
    """
    names = {*columns, *chosen}.difference(STAMPS)
    message = {name: value for name, value in change.message.items() if name in names}
    if row is None:
        return [{"op": "insert", "row_id": change.shelf, "value": message}]
    cells = chosen if row["active"] else message
    return [
        {"op": "set", "row_id": change.shelf, "column": name, "value": value}
        for name, value in cells.items()
        if name not in row or row[name] != value
    ]


def columns_of(dataset: Dataset) -> list[str]:
    """Names of the columns of a dataset."""
    return [column["name"] for column in dataset.definition()["definition"]["columns"]]


def row_of(dataset: Dataset, shelf: str) -> dict[str, Any] | None:
    """What a dataset says of a shelf; None: nothing."""
    view = dataset.view(filters=[{"column": KEY, "op": "=", "value": shelf}])
    if not view["count"]:
        return None
    columns = dataset.rows(view["id"], 0, 1)["columns"]
    return {name: values[0] for name, values in columns.items()}


def overruling(root: Place, change: PolicyChange) -> str | None:
    """The governed dataset that has a policy and is not served now; None: there is none, and the message holds.

    Once it is served again it answers the message with what it has itself (docs/design/governance.md#publication).
    """
    from lakeshelf.lake.rows import tables

    name = f"{SHOP}/{change.topic}"
    if not tables.exists(root, name):
        return None
    held = tables.rows(root, name, [KEY], [(KEY, "=", change.shelf)])
    return name if held.num_rows else None


def submitted(dataset: Dataset, edits: Iterable[Edit], title: str) -> dict[str, Any]:
    """The change request of edits, in a session of their own, which is gone if it cannot be submitted.

    Raises:
        GovernanceError: What the API refuses.
        ConfigurationError: An edit that it refuses.
    """
    from lakeshelf.governance.errors import GovernanceError

    session = dataset.open_session()
    try:
        _take(session, edits)
        return session.submit(title).get()
    except (GovernanceError, ConfigurationError):
        session.discard()
        raise


def _take(session: Session, edits: Iterable[Edit]) -> None:
    for refusal in session.edit(edits)["refusals"]:
        raise ConfigurationError(
            refusal["error"]["message"], hint="nothing was submitted; see `lakeshelf policies show`"
        )


def title_of(change: PolicyChange, chosen: Mapping[str, Any]) -> str:
    """What a change is called, for who reviews it."""
    if not change.message["active"]:
        return f"End the policy of {change.shelf}"
    said = ", ".join(f"{name} {value}" for name, value in chosen.items())
    return f"{change.shelf}: {said}"
