"""A copy of the audit in the lake: a chain that was cut off or written anew shows there, and so does a copy that lies.

docs/design/governance.md#audit
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import zip_longest
from typing import Any

import pyarrow as pa

from lakeshelf.contracts import CATALOG
from lakeshelf.contracts import arrow as arrow_contract
from lakeshelf.contracts.layers import Ops
from lakeshelf.governance.metadata.audit import BrokenLink
from lakeshelf.governance.metadata.database.columns import canonical
from lakeshelf.governance.metadata.opening import Metadata, Transaction
from lakeshelf.governance.metadata.tables.events import AuditEvent
from lakeshelf.governance.services.context import Context
from lakeshelf.governance.storage.layout import OWNER
from lakeshelf.lake import Lake, Txn
from lakeshelf.lake.form.commits import ABSENT
from lakeshelf.lake.place.location import Root
from lakeshelf.lake.rows import tables

NAME = Ops.GOVERNANCE_AUDIT
AT_ONCE = 10_000
"""Links that one commit copies at most."""
RENAMED = {"user": "user_id", "request": "change_request"}
"""Field of a link → its column, where SQL has another meaning for the name."""
_SCHEMA = arrow_contract.schema(CATALOG.tables[NAME].columns)


def mirror(context: Context) -> int:
    """Copy the links that the copy lacks, each chain by itself; how many these were."""
    with context.metadata.reading() as tx:
        chains = tx.audit.chains()
    lake = Lake(context.root, who=OWNER, writer=OWNER)
    return sum(_copied(context, lake, project) for project in chains)


def _copied(context: Context, lake: Lake, project: str) -> int:
    """Links of a chain that were copied; how far is an application transaction of the copy."""
    copied, app_id = 0, f"audit:{project}"
    while True:
        known = _known(context.root, app_id)
        with context.metadata.reading() as tx:
            links = tx.audit.after(project, known or 0, limit=AT_ONCE)
        if not links:
            return copied
        rows = pa.Table.from_pylist([_row(link) for link in links], schema=_SCHEMA)
        after = ABSENT if known is None else known
        lake.append(NAME, rows, txn=Txn(app_id, links[-1].number, after))
        copied += len(links)


def broken(metadata: Metadata, root: Root) -> Iterator[BrokenLink]:
    """The first link of each chain that is not as it was written, or of which the copy says something else."""
    with metadata.reading() as tx:
        chains = sorted({*tx.audit.chains(), *_copied_chains(root)})
        for project in chains:
            links = [tx.audit.verify(project), _difference(tx, root, project)]
            if known := [link for link in links if link is not None]:
                yield min(known, key=lambda link: link.number)


def _difference(tx: Transaction, root: Root, project: str) -> BrokenLink | None:
    """The first link on which the copy and the database differ; what is not copied yet is no difference."""
    copy = _copy(root, project)
    links = tx.audit.after(project, limit=len(copy))
    for number, (link, copied) in enumerate(zip_longest(links, copy), 1):
        if link is None:
            return BrokenLink(project, copied.number, "the copy has it, and the database has not")
        if link != copied:
            return BrokenLink(project, min(number, link.number), f"{NAME} says something else")
    return None


def _copy(root: Root, project: str) -> list[AuditEvent]:
    if not tables.exists(root, NAME):
        return []
    rows = tables.rows(root, NAME, where=[("project", "=", project)])
    return [_link(row) for row in rows.sort_by("number").to_pylist()]


def _copied_chains(root: Root) -> list[str]:
    if not tables.exists(root, NAME):
        return []
    return list(tables.rows(root, NAME, ["project"])["project"].unique().to_pylist())


def _known(root: Root, app_id: str) -> int | None:
    if not tables.exists(root, NAME):
        return None
    return tables.open_table(root, NAME).transaction_version(app_id)


def _row(link: AuditEvent) -> dict[str, Any]:
    fields = {**vars(link), "details": canonical(dict(link.details))}
    return {RENAMED.get(name, name): value for name, value in fields.items()}


def _link(row: dict[str, Any]) -> AuditEvent:
    fields = {name: row[RENAMED.get(name, name)] for name in AuditEvent.__dataclass_fields__}
    return AuditEvent(**{**fields, "details": json.loads(fields["details"])})
