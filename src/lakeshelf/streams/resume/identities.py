"""Which tables of a query are those that its ledger knows, by their ids in Delta."""

from __future__ import annotations

from collections.abc import Mapping

from deltalake import DeltaTable

from lakeshelf.streams.commit import ledger
from lakeshelf.streams.commit.ledger import Account


def ids_of(handles: Mapping[str, DeltaTable]) -> dict[str, str]:
    """Table → id in Delta."""
    return {name: str(handle.metadata().id) for name, handle in handles.items()}


def _known(account: Account, table_ids: Mapping[str, str]) -> dict[str, bool]:
    """Table of which the ledger tells an id → whether it is that table."""
    return {
        name: account.table_ids[name] == table_id
        for name, table_id in table_ids.items()
        if name in account.table_ids and name != ledger.LEDGER
    }


def foreign(account: Account, table_ids: Mapping[str, str]) -> frozenset[str]:
    """Tables of another lake: the ledger knows others under their names, and knows some that are here."""
    known = _known(account, table_ids)
    others = frozenset(name for name, is_known in known.items() if not is_known)
    return others if any(known.values()) else frozenset()


def is_foreign(account: Account, table_ids: Mapping[str, str]) -> bool:
    """Whether the ledger is that of another lake: it knows none of the tables that are here."""
    known = _known(account, table_ids)
    return bool(known) and not any(known.values())
