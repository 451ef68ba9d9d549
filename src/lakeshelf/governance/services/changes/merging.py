"""The merge of an approved change request, in the numbered steps of docs/design/governance.md#protocol.

A crash between any two steps is harmless: whoever finds the lease over goes on (`recovery`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pyarrow as pa

from lakeshelf import crash
from lakeshelf.errors import LakeshelfError
from lakeshelf.governance.domain.findings import Point
from lakeshelf.governance.domain.permissions import can
from lakeshelf.governance.domain.requests.conflicts import MergeConflict as CellConflict
from lakeshelf.governance.domain.requests.lifecycle import Event, step
from lakeshelf.governance.domain.requests.merge import Merged
from lakeshelf.governance.errors import GovernanceError, refused
from lakeshelf.governance.metadata.opening import Transaction
from lakeshelf.governance.metadata.tables.requests import ChangeRequest, RequestMark
from lakeshelf.governance.metadata.tables.work import Lease
from lakeshelf.governance.publication.commits import TAKES_UP
from lakeshelf.governance.services import runs
from lakeshelf.governance.services.access import require_right, subject
from lakeshelf.governance.services.changes import proposals
from lakeshelf.governance.services.changes.approving import approvers, judgement
from lakeshelf.governance.services.changes.defining import put_in_force
from lakeshelf.governance.services.changes.finishing import app_id, clean_up, place
from lakeshelf.governance.services.changes.outside import require_covered
from lakeshelf.governance.services.changes.proposals import Proposal
from lakeshelf.governance.services.context import Caller, Context, record
from lakeshelf.governance.services.datasets import meta_of, table_of
from lakeshelf.governance.services.refusals import governed
from lakeshelf.governance.storage.files import read_json, write_json
from lakeshelf.governance.storage.main import OpenedTable
from lakeshelf.lake.place.errors import Conflict

LEASE = timedelta(seconds=60)
"""How long a merger may be silent before another looks after its merge."""
TRIES = 5
"""Times that a merge is made again when others were quicker."""


def dry_run(context: Context, caller: Caller, project: str, number: int) -> proposals.Preview:
    """What the merge of a change request would do; nothing is written.

    Raises:
        GovernanceError: `not_found`, `validator_unavailable`.
    """
    with context.metadata.reading() as tx:
        require_right(tx, caller, project, "read")
        request = tx.requests.get(project, number)
        proposal = proposals.load(context, tx, request)
        opened = table_of(context, tx, project, request.dataset).opened()
        merged = proposal.merged(opened)
        report = (
            None if merged.conflicts else proposal.judged(context, tx, "preview", opened, merged)
        )
    return proposals.Preview(opened.version, merged, report)


def merge(
    context: Context,
    caller: Caller,
    project: str,
    number: int,
    content_hash: str,
    *,
    force: bool = False,
) -> ChangeRequest:
    """Merge an approved change request; one that is merged already is given back as it is.

    Args:
        context: What it stands on.
        caller: Who merges.
        project: The project.
        number: Number of the change request.
        content_hash: The content that the caller saw.
        force: Take what is staged in every conflict; for owners who are no authors.

    Raises:
        GovernanceError: `conflicts`, `violations`, `content_changed`, `approvals_missing`, `dataset_busy`, …
    """
    with context.metadata.reading() as tx:
        require_right(tx, caller, project, "read")
        request = tx.requests.get(project, number)
        if request.merged_version is not None:
            return request
        proposal = proposals.load(context, tx, request)
    who = "force" if force else "merge"
    return _merged(_begin(context, caller, proposal, content_hash, "merge", who))


def restore_at_once(context: Context, caller: Caller, request: ChangeRequest) -> ChangeRequest:
    """Merge a restore that nobody reviewed, as an owner whom the policy lets.

    Raises:
        GovernanceError: `forbidden`, `comment_required`, `violations`, `dataset_busy`, …
    """
    with context.metadata.reading() as tx:
        proposal = proposals.load(context, tx, request)
    seen = str(request.content_hash)
    return _merged(_begin(context, caller, proposal, seen, "restore_at_once", "restore_at_once"))


def lease_name(request: ChangeRequest) -> str:
    """Name of the lease under which a dataset is merged into."""
    return f"merge:{request.project}/{request.dataset}"


def _merged(merger: Merger) -> ChangeRequest:
    crash.point("merge_after_lease")
    merged = merger.carried_out()
    clean_up(merger.context, merged)
    return merged


def _begin(
    context: Context,
    caller: Caller,
    proposal: Proposal,
    content_hash: str,
    event: Event,
    action: str,
) -> Merger:
    """Step 1: who may, what was approved, and a lease."""
    now = context.clock()
    with context.metadata.transaction() as tx:
        request = tx.requests.get(proposal.request.project, proposal.request.number)
        about = subject(tx, request)
        who = require_right(tx, caller, request.project, action, about)
        lease = tx.leases.take(lease_name(request), context.holder, now, LEASE)
        facts: dict[str, bool | GovernanceError] = {
            "revision_current": True,
            "may_merge": can(who, "merge", about) is True,
            "reasoned": bool(str(request.origin.get(proposals.AT_ONCE, "")).strip()),
            "content_seen": content_hash == request.content_hash,
            "approvals_hold": approvals_hold(tx, replace(proposal, request=request)),
            "leased": lease is not None,
        }
        status = step(request.status, event, facts)
        assert lease is not None
        request = tx.requests.advance(
            request,
            at=now,
            status=status,
            lease=lease.number,
            forced_by=None if action == "merge" else caller.user,
        )
        details = {"action": action, "reason": request.origin.get(proposals.AT_ONCE)}
        record(tx, caller, "cr.merging", now, **place(request), details=details)
    return Merger(context, caller, request, lease)


def approvals_hold(tx: Transaction, proposal: Proposal) -> bool | GovernanceError:
    """Whether the approvals of a change request still meet the policy, or what is missing."""
    judged = judgement(tx, proposal)
    if judged.met:
        return True
    return refused(
        "approvals_missing",
        f"CR {proposal.request.number}: {'; '.join(judged.missing)}",
        hint="ask for a review",
        missing=list(judged.missing),
        discounted=dict(judged.discounted),
    )


@dataclass
class Merger:
    """Who carries a merge out, under its lease.

    Attributes:
        context: What it stands on.
        caller: Who merges.
        request: The change request, `merging`.
        lease: The lease.
    """

    context: Context
    caller: Caller
    request: ChangeRequest
    lease: Lease

    def carried_out(self) -> ChangeRequest:
        """Steps 2 to 6; what refuses the merge gives the change request back first."""
        try:
            version = self._committed()
        except GovernanceError as error:
            self._give_back(error)
            raise
        crash.point("merge_after_commit")
        return self.settled(version)

    def _committed(self) -> int:
        """Steps 2 to 5: the version that holds the change."""
        for _ in range(TRIES):
            with self.context.metadata.transaction() as tx:
                self.lease = tx.leases.renew(self.lease, self.context.clock(), LEASE)
            try:
                opened, merged = self._prepared()
            except LakeshelfError as error:  # nothing was committed: the request is given back
                raise governed(error) from error
            if merged is None:
                return opened.version_of(self.request.number)
            crash.point("merge_after_plan")
            try:
                return self._commit(opened, merged)
            except Conflict:
                continue
        raise refused(
            "dataset_busy",
            f"others changed {self.request.dataset} {TRIES} times while CR {self.request.number} was merged",
            hint="merge it again",
        )

    def _prepared(self) -> tuple[OpenedTable, Merged | None]:
        """Steps 2 to 4: the newest version and what is to be done to it; None: that has it already."""
        with self.context.metadata.reading() as tx:
            proposal = proposals.load(self.context, tx, self.request)
            opened = table_of(self.context, tx, self.request.project, self.request.dataset).opened()
            if opened.is_done(app_id(self.request), self.request.revision):
                return opened, None
            merged = self._mergeable(proposal, opened)
            began = self.context.clock()
            point: Point = "restore" if is_at_once(self.request) else "merge"
            report = proposal.judged(self.context, tx, point, opened, merged)
        digest = str(self.request.content_hash)
        runs.keep(self.context, self.request, report, digest, opened.version, began)
        proposals.require_valid(report)
        self._plan(opened, proposal.recorded(merged), merged)
        return opened, merged

    def _mergeable(self, proposal: Proposal, opened: OpenedTable) -> Merged:
        merged = proposal.merged(opened, force=self.request.forced_by is not None)
        if merged.conflicts:
            raise _conflicting(merged.conflicts, opened.version)
        require_covered(opened, self.request)
        return merged

    def _plan(self, opened: OpenedTable, recorded: Merged, merged: Merged) -> None:
        """Step 4: what is done is written down before it is done."""
        planned = self._planned(opened, recorded, merged)
        content = write_json(self.context.root, plan_path(self.context, self.request), planned)
        with self.context.metadata.transaction() as tx:
            tx.leases.require(self.lease)
            self.request = tx.requests.advance(
                self.request,
                at=self.context.clock(),
                merge_version=opened.version,
                plan_hash=hashlib.sha256(content).hexdigest(),
            )

    def _planned(self, opened: OpenedTable, recorded: Merged, merged: Merged) -> dict[str, Any]:
        return {
            "version": opened.version,
            "cells": [list(cell.values()) for cell in recorded.cells.to_pylist()],
            "overwritten": [one.as_json() for one in merged.overwritten],
            "counts": dict(recorded.counts),
            "merged_by": self.caller.user,
        }

    def _commit(self, opened: OpenedTable, merged: Merged) -> int:
        """Step 5: one conditional commit; one that changes no row is made all the same, for its identity."""
        txn = (app_id(self.request), self.request.revision)
        with self.context.metadata.reading() as tx:
            metadata = commit_metadata(tx, self.request)
        if not merged.upserts.num_rows and not merged.deletes.num_rows:
            named = self.request.kind in (proposals.DEFINITION, proposals.OUTSIDE)
            kind = self.request.kind if named else "fence"
            return int(opened.fence(txn, {**metadata, "kind": kind}).version or 0)
        rows = with_system_columns(opened, merged.upserts, str(self.request.submitted_by))
        made = opened.apply(rows, merged.deletes, txn, metadata)
        return opened.version if made.version is None else made.version

    def settled(self, version: int) -> ChangeRequest:
        """Step 6: one transaction says that it is merged."""
        now = self.context.clock()
        with self.context.metadata.reading() as tx:
            opened = table_of(self.context, tx, self.request.project, self.request.dataset).opened()
        meta = meta_of(self.context, opened, app_id(self.request))
        with self.context.metadata.transaction() as tx:
            tx.leases.require(self.lease)
            status = step(self.request.status, "commit", {})
            merged = tx.requests.advance(
                self.request,
                at=now,
                status=status,
                merged_version=version,
                merged_by=self.caller.user,
                merged_at=now,
            )
            if merged.kind == proposals.DEFINITION:
                put_in_force(tx, merged, now)
            tx.datasets.stands(meta)
            audience = tx.requests.authors(merged.project, merged.number)
            details = {"version": version, "revision": merged.revision}
            record(
                tx, self.caller, "cr.merged", now, **place(merged), details=details, tell=audience
            )
            tx.leases.give_back(self.lease)
        crash.point("merge_after_settled")
        return merged

    def _give_back(self, error: GovernanceError) -> None:
        """The state that a merge which failed leads to, unless another has taken it over."""
        events: Mapping[str, Event] = {"conflicts": "conflict", "violations": "violation"}
        event = events.get(error.code, "failure")
        now = self.context.clock()
        try:
            with self.context.metadata.transaction() as tx:
                tx.leases.require(self.lease)
                status = step(self.request.status, event, {"at_once": is_at_once(self.request)})
                request = tx.requests.advance(self.request, at=now, status=status, lease=None)
                if event == "conflict":
                    count, version = len(error.details["conflicts"]), error.details["version"]
                    mark = RequestMark(
                        request.project, request.number, "conflicting", version, count, now
                    )
                    tx.requests.mark(mark)
                details = {"code": error.code, "problem": error.message}
                record(tx, self.caller, "cr.not_merged", now, **place(request), details=details)
                tx.leases.give_back(self.lease)
        except GovernanceError as lost:
            error.add_note(f"the merge was taken over meanwhile: {lost.message}")


def is_at_once(request: ChangeRequest) -> bool:
    """Whether a request is merged without a review, as a restore by an owner."""
    return proposals.AT_ONCE in request.origin and request.forced_by is not None


def commit_metadata(tx: Transaction, request: ChangeRequest) -> dict[str, Any]:
    """What the commit of a change request says of itself."""
    return {
        "cr_id": request.number,
        "kind": request.kind,
        "actor": request.submitted_by,
        "approvers": approvers(tx, request),
        "definition": tx.datasets.get(request.project, request.dataset).definition_version,
        **{
            name: request.origin[name]
            for name in (TAKES_UP, proposals.AT_ONCE)
            if name in request.origin
        },
    }


def plan_path(context: Context, request: ChangeRequest) -> str:
    """Where the plan of a merge lies."""
    folder = context.folder(request.project, request.dataset)
    return f"{folder.request(request.number, request.revision)}/diff.json"


def plan_of(context: Context, request: ChangeRequest) -> dict[str, Any]:
    """The plan of a merge that was made."""
    plan: dict[str, Any] = read_json(context.root, plan_path(context, request))
    return plan


def with_system_columns(opened: OpenedTable, rows: pa.Table, actor_name: str) -> pa.Table:
    """Rows with the columns that nobody edits, which tell who changed them."""
    for column in opened.table.definition.columns:
        if column.system:
            rows = rows.append_column(column.name, pa.array([actor_name] * rows.num_rows))
    return rows


def _conflicting(conflicts: tuple[CellConflict, ...], version: int) -> GovernanceError:
    return refused(
        "conflicts",
        f"cells that were changed by others too: {len(conflicts):,}",
        hint="settle each: keep main, take what is staged, or rebase",
        conflicts=[one.as_json() for one in conflicts],
        version=version,
    )
