"""Change requests of kind `definition`: what a dataset is changes only as its rows do, by a review."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime

from lakeshelf.contracts import CATALOG, Topic
from lakeshelf.governance.domain.changes import completed, require_allowed
from lakeshelf.governance.domain.definition import Definition
from lakeshelf.governance.domain.requests.approvals import require_meetable
from lakeshelf.governance.domain.requests.lifecycle import CONTENT_OPEN, step
from lakeshelf.governance.domain.staged import schema
from lakeshelf.governance.errors import GovernanceError, refused
from lakeshelf.governance.metadata.opening import Transaction
from lakeshelf.governance.metadata.tables.requests import ChangeRequest
from lakeshelf.governance.services.access import require_right, subject
from lakeshelf.governance.services.changes.finishing import SERVICE, place
from lakeshelf.governance.services.changes.proposals import DEFINITION
from lakeshelf.governance.services.changes.requests import drafted, held, next_revision
from lakeshelf.governance.services.context import Caller, Context, record
from lakeshelf.governance.services.datasets import elsewhere, table_of
from lakeshelf.governance.storage.main import MainTable
from lakeshelf.governance.validation.definitions import checked


def propose(
    context: Context,
    caller: Caller,
    project: str,
    dataset: str,
    definition: Definition,
    *,
    title: str,
    description: str = "",
) -> ChangeRequest:
    """A change request that puts the next version of a definition in force.

    Raises:
        GovernanceError: `not_found`, `forbidden`, `definition_invalid`, `nothing_changed`, `policy_unmeetable`.
    """
    with context.metadata.reading() as tx:
        require_right(tx, caller, project, "create_change_request")
        table = table_of(context, tx, project, dataset)
        definition = completed(table.definition, definition, _topic_of(table.definition))
        checked_next(tx, project, table.definition, definition)
        version = table.opened().version
    with drafted(
        context,
        caller,
        project,
        dataset,
        DEFINITION,
        title=title,
        description=description,
        base_version=version,
        origin={DEFINITION: definition.as_json()},
    ) as number:
        return _submitted(context, caller, number, _Next(table, version, definition))


@dataclass(frozen=True)
class _Next:
    """What is proposed, and what it follows.

    Attributes:
        table: The table, with the definition in force.
        version: Version of the table.
        definition: The definition that is proposed.
    """

    table: MainTable
    version: int
    definition: Definition

    @property
    def present(self) -> Definition:
        """The definition in force."""
        return self.table.definition


def _submitted(context: Context, caller: Caller, number: int, following: _Next) -> ChangeRequest:
    """A drafted change request under review, with the definition as its content."""
    project, now = following.table.folder.project, context.clock()
    with context.metadata.transaction() as tx:
        request = tx.requests.get(project, number)
        status = step(request.status, "submit", _facts(tx, request, following.present))
        submitted = next_revision(
            tx,
            request,
            status,
            following.present,
            schema(following.present).empty_table(),
            following.version,
            caller.user,
            now,
            digest=definition_hash(following.definition),
        )
        audience = [one.name for one in tx.projects.people(project) if one.role == "owner"]
        record(tx, caller, "cr.submitted", now, **place(submitted), tell=audience)
    return submitted


def _facts(
    tx: Transaction, request: ChangeRequest, present: Definition
) -> dict[str, bool | GovernanceError]:
    """What a submission has to meet; who drafted it just now is its author, and its rules are checked."""
    members, about = tx.projects.people(request.project), subject(tx, request)
    meetable = held(lambda: require_meetable(present.policy, (), members, about))
    passed = dict.fromkeys(("revision_current", "by_author", "cell_changed", "no_violation"), True)
    return {**passed, "policy_meetable": meetable}


def checked_next(
    tx: Transaction, project: str, present: Definition, definition: Definition
) -> None:
    """Refuse a definition that cannot follow the one in force.

    Raises:
        GovernanceError: `state_changed`, `definition_invalid`, `nothing_changed`.
    """
    if definition.version != present.version + 1:
        raise refused(
            "state_changed",
            f"the definition in force is version {present.version}, so version {definition.version} is not the next",
            hint=f"make the change to the one in force, and send it as version {present.version + 1}",
            definition_version=present.version,
        )
    require_allowed(present, definition, _topic_of(present))
    checked(definition, elsewhere(tx, project))


def _topic_of(definition: Definition) -> Topic | None:
    return None if definition.topic is None else CATALOG.topics[definition.topic]


def definition_hash(definition: Definition) -> str:
    """What is approved of a definition."""
    return hashlib.sha256(definition.dumps().encode()).hexdigest()


def proposed(request: ChangeRequest) -> Definition:
    """The definition that a change request puts in force."""
    return Definition.of_json(request.origin[DEFINITION])


def put_in_force(tx: Transaction, request: ChangeRequest, at: datetime) -> None:
    """Make the proposed definition that in force, and have open approvals given anew.

    Raises:
        GovernanceError: `state_changed`: another definition came first.
    """
    dataset = tx.datasets.get(request.project, request.dataset)
    author = str(request.submitted_by)
    tx.datasets.define(dataset, proposed(request), request=request.number, by=author, at=at)
    for other in tx.requests.all(request.project, request.dataset, statuses=CONTENT_OPEN):
        status = step(other.status, "change_definition", {})
        again = tx.requests.advance(other, at=at, status=status)
        reason = f"CR {request.number} changed the definition"
        tx.reviews.make_stale(other.project, other.number, at=at, reason=reason)
        audience = tx.requests.authors(other.project, other.number)
        record(tx, SERVICE, "cr.definition_changed", at, **place(again), tell=audience)
