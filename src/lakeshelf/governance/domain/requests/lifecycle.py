"""The life of a change request, as a table: from which state what leads where, and what has to hold.

docs/design/governance.md#life-cycle
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from lakeshelf.governance.errors import GovernanceError, refused

State = Literal[
    "draft",
    "pending_review",
    "approved",
    "rejected",
    "merging",
    "merged",
    "closed",
    "withdrawn",
    "expired",
]
Event = Literal[
    "submit",
    "approve",
    "reject",
    "reject_cells",
    "change_content",
    "change_definition",
    "withdraw",
    "expire",
    "merge",
    "restore_at_once",
    "commit",
    "conflict",
    "violation",
    "failure",
    "clean_up",
]
STATES: tuple[State, ...] = get_args(State)
EVENTS: tuple[Event, ...] = get_args(Event)
ACTS: tuple[Event, ...] = (
    "submit",
    "approve",
    "reject",
    "reject_cells",
    "change_content",
    "withdraw",
    "merge",
)
"""Events that people bring about; the others come from the service."""
WORDS: Mapping[Event, str] = {"change_content": "resolve"}
"""Event that people know by another name → that name."""
CONTENT_OPEN: tuple[State, ...] = ("pending_review", "approved")
"""States in which content can still change and reviews are given."""
OPEN: tuple[State, ...] = ("draft", "rejected", *CONTENT_OPEN)
"""States from which a change request can still end without a merge."""
ENDED: tuple[State, ...] = ("closed", "withdrawn", "expired")
"""States that nothing follows; staged rows are removed with them."""
EXPIRY_DAYS = 30


@dataclass(frozen=True)
class Guard:
    """What has to hold: how it is refused otherwise."""

    code: str
    problem: str
    hint: str


GUARDS: Mapping[str, Guard] = {
    "revision_current": Guard(
        "state_changed", "somebody else was faster", "look at it as it is now, and try again"
    ),
    "cell_changed": Guard("nothing_changed", "no cell is changed", "edit a cell first"),
    "no_violation": Guard(
        "violations", "rules are violated", "correct the cells that the findings name"
    ),
    "policy_meetable": Guard(
        "policy_unmeetable",
        "nobody can give the approvals that the policy asks for",
        "ask an owner for more members or another policy",
    ),
    "content_seen": Guard(
        "content_changed", "the content is not the one that was seen", "look at the diff again"
    ),
    "may_review": Guard("forbidden", "this is not yours to review", "ask one who may approve it"),
    "not_author": Guard(
        "author_approves", "authors do not approve their own change", "ask a colleague"
    ),
    "warnings_acknowledged": Guard(
        "warnings_unacknowledged", "there are warnings", "read and acknowledge them"
    ),
    "commented": Guard("comment_required", "there is no comment", "say why"),
    "cell_left": Guard(
        "nothing_changed", "no cell would be left", "reject the change request as a whole"
    ),
    "by_author": Guard("forbidden", "only its authors may do that", "ask one of them"),
    "silent": Guard(
        "transition_refused",
        f"it was touched within {EXPIRY_DAYS} days",
        "wait, or ask an author to withdraw it",
    ),
    "reasoned": Guard(
        "comment_required", "there is no reason", "say why it cannot wait for a review"
    ),
    "may_merge": Guard("forbidden", "this is not yours to merge", "ask a contributor"),
    "approvals_hold": Guard(
        "approvals_missing", "approvals are missing or stale", "ask for a review"
    ),
    "leased": Guard("dataset_busy", "another merge is running", "try again in some seconds"),
}
"""Name of a guard → how it is refused."""


@dataclass(frozen=True)
class Transition:
    """One row of the table.

    Attributes:
        sources: States that it leads from.
        event: What happens.
        target: State that it leads to.
        guards: What has to hold, in the order in which it is looked at.
        when: A fact that this row needs; a row without is for all other cases.
    """

    sources: tuple[State, ...]
    event: Event
    target: State
    guards: tuple[str, ...] = ()
    when: str | None = None


_SUBMIT = ("revision_current", "by_author", "cell_changed", "policy_meetable", "no_violation")
_REVIEW = ("revision_current", "may_review", "content_seen")
_APPROVE = (*_REVIEW, "not_author", "no_violation", "warnings_acknowledged")
_MERGE = ("revision_current", "may_merge", "content_seen", "approvals_hold", "leased")
_AT_ONCE = ("revision_current", "may_merge", "content_seen", "reasoned", "leased")
POLICY_MET = "policy_met"
AT_ONCE = "at_once"

TABLE: tuple[Transition, ...] = (
    Transition(("draft", "rejected"), "submit", "pending_review", _SUBMIT),
    Transition(("pending_review",), "approve", "approved", _APPROVE, POLICY_MET),
    Transition(("pending_review",), "approve", "pending_review", _APPROVE),
    Transition(CONTENT_OPEN, "reject", "rejected", (*_REVIEW, "commented")),
    Transition(CONTENT_OPEN, "reject_cells", "pending_review", (*_REVIEW, "cell_left")),
    Transition(CONTENT_OPEN, "change_content", "pending_review", ("revision_current",)),
    Transition(CONTENT_OPEN, "change_definition", "pending_review"),
    Transition(OPEN, "withdraw", "withdrawn", ("revision_current", "by_author")),
    Transition(OPEN, "expire", "expired", ("revision_current", "silent")),
    Transition(("approved",), "merge", "merging", _MERGE),
    Transition(("pending_review",), "restore_at_once", "merging", _AT_ONCE),
    Transition(("merging",), "commit", "merged"),
    Transition(("merging",), "conflict", "pending_review"),
    Transition(("merging",), "violation", "pending_review"),
    Transition(("merging",), "failure", "pending_review", (), AT_ONCE),
    Transition(("merging",), "failure", "approved"),
    Transition(("merged",), "clean_up", "closed"),
)
"""All transitions that there are."""


def possible(state: State) -> tuple[Event, ...]:
    """What can happen in a state, in the order of the table."""
    return tuple(dict.fromkeys(row.event for row in TABLE if state in row.sources))


def acts(state: State) -> tuple[Event, ...]:
    """What people can do in a state."""
    return tuple(event for event in possible(state) if event in ACTS)


def step(state: State, event: Event, facts: Mapping[str, bool | GovernanceError]) -> State:
    """The state that an event leads to.

    Args:
        state: The state as it is stored.
        event: What is to happen.
        facts: Guard or fact → whether it holds, or the refusal that says more; what is left out does not hold.

    Raises:
        GovernanceError: `transition_refused`: the table has no such row; else that of the first guard that fails.
    """
    rows = [row for row in TABLE if state in row.sources and row.event == event]
    if not rows:
        raise _refused(state, event)
    row = next(row for row in rows if row.when is None or facts.get(row.when) is True)
    for name in row.guards:
        require(name, facts.get(name, False))
    return row.target


def require(name: str, fact: bool | GovernanceError) -> None:
    """Refuse what a guard stands in the way of.

    Args:
        name: The guard.
        fact: Whether it holds, or the refusal that says more.

    Raises:
        GovernanceError: It does not hold.
    """
    if isinstance(fact, GovernanceError):
        raise fact
    if fact is not True:
        guard = GUARDS[name]
        raise refused(guard.code, guard.problem, hint=guard.hint, guard=name)


_AFTERWARDS = {
    True: "the service goes on with it, within two minutes where its process is gone: look again",
    False: "nothing more is decided of it: propose another",
}
"""Whether something still happens to what people can do nothing with → what they are told."""


def _refused(state: State, event: str) -> GovernanceError:
    options = ", ".join(WORDS.get(act, act) for act in acts(state))
    details: dict[str, Any] = {"state": state, "event": event, "possible": list(acts(state))}
    goes_on = any(following != "clean_up" for following in possible(state))
    hint = f"what can be done now: {options}" if options else _AFTERWARDS[goes_on]
    problem = f"it is {state.replace('_', ' ')}, so {event.replace('_', ' ')} is not possible"
    return refused("transition_refused", problem, hint=hint, **details)
