"""A change request goes the ways of the table, and no other; each guard stands in its way."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from lakeshelf.governance.domain.requests.lifecycle import (
    EVENTS,
    GUARDS,
    STATES,
    TABLE,
    WORDS,
    acts,
    possible,
    step,
)
from lakeshelf.governance.errors import CODES, GovernanceError, refused

ALL = dict.fromkeys(GUARDS, True) | {"policy_met": True}
OPEN = ("draft", "rejected", "pending_review", "approved")
REVIEWED = ("pending_review", "approved")
WAYS = {
    **{(state, "submit"): "pending_review" for state in ("draft", "rejected")},
    ("pending_review", "approve"): "approved",
    **{(state, "reject"): "rejected" for state in REVIEWED},
    **dict.fromkeys(
        product(REVIEWED, ("reject_cells", "change_content", "change_definition")), "pending_review"
    ),
    **{(state, "withdraw"): "withdrawn" for state in OPEN},
    **{(state, "expire"): "expired" for state in OPEN},
    ("approved", "merge"): "merging",
    ("merging", "commit"): "merged",
    ("merging", "conflict"): "pending_review",
    ("merging", "violation"): "pending_review",
    ("pending_review", "restore_at_once"): "merging",
    ("merging", "failure"): "approved",
    ("merged", "clean_up"): "closed",
}
"""State and event → state, where nothing stands in the way."""
IN_THE_WAY = {
    "submit": {
        "revision_current": "state_changed",
        "by_author": "forbidden",
        "cell_changed": "nothing_changed",
        "policy_meetable": "policy_unmeetable",
        "no_violation": "violations",
    },
    "approve": {
        "revision_current": "state_changed",
        "may_review": "forbidden",
        "content_seen": "content_changed",
        "not_author": "author_approves",
        "no_violation": "violations",
        "warnings_acknowledged": "warnings_unacknowledged",
    },
    "reject": {
        "revision_current": "state_changed",
        "may_review": "forbidden",
        "content_seen": "content_changed",
        "commented": "comment_required",
    },
    "reject_cells": {
        "revision_current": "state_changed",
        "may_review": "forbidden",
        "content_seen": "content_changed",
        "cell_left": "nothing_changed",
    },
    "change_content": {"revision_current": "state_changed"},
    "withdraw": {"revision_current": "state_changed", "by_author": "forbidden"},
    "expire": {"revision_current": "state_changed", "silent": "transition_refused"},
    "merge": {
        "revision_current": "state_changed",
        "may_merge": "forbidden",
        "content_seen": "content_changed",
        "approvals_hold": "approvals_missing",
        "leased": "dataset_busy",
    },
    "restore_at_once": {
        "revision_current": "state_changed",
        "may_merge": "forbidden",
        "content_seen": "content_changed",
        "reasoned": "comment_required",
        "leased": "dataset_busy",
    },
}


@pytest.mark.parametrize(("state", "event"), list(product(STATES, EVENTS)))
def test_every_event_leads_where_the_table_says_or_is_refused(state: Any, event: Any) -> None:
    if target := WAYS.get((state, event)):
        assert step(state, event, ALL) == target
        return
    with pytest.raises(GovernanceError) as refusal:
        step(state, event, ALL)
    assert refusal.value.code == "transition_refused"
    assert refusal.value.details["possible"] == list(acts(state))
    assert all(WORDS.get(act, act) in (refusal.value.hint or "") for act in acts(state))


GUARDED = [
    (state, event, guard, code)
    for state, event in WAYS
    for guard, code in IN_THE_WAY.get(event, {}).items()
]


@pytest.mark.parametrize(("state", "event", "guard", "code"), GUARDED)
def test_each_guard_alone_stands_in_the_way(state: Any, event: Any, guard: str, code: str) -> None:
    for fact in ({guard: False}, {}, {guard: None}):
        facts: Any = {name: value for name, value in ALL.items() if name != guard} | fact
        with pytest.raises(GovernanceError) as refusal:
            step(state, event, facts)
        assert refusal.value.code == code


def test_a_refusal_that_says_more_is_the_one_that_is_told() -> None:
    own = refused("violations", "S1.price = -1 is below 0", hint="raise it", rows=["S1"])
    with pytest.raises(GovernanceError) as refusal:
        step("draft", "submit", {**ALL, "no_violation": own})
    assert refusal.value is own


def test_an_approval_that_does_not_suffice_leaves_it_where_it_is() -> None:
    assert step("pending_review", "approve", {**ALL, "policy_met": False}) == "pending_review"


def test_every_way_ends() -> None:
    """From each state one of the three ends can be reached."""
    reached = {"closed", "withdrawn", "expired"}
    for _ in STATES:
        reached |= {source for row in TABLE if row.target in reached for source in row.sources}
    assert reached == set(STATES)
    assert all(possible(state) for state in set(STATES) - {"closed", "withdrawn", "expired"})


def test_every_guard_has_a_code_and_is_used() -> None:
    used = {name for row in TABLE for name in row.guards}
    assert used == set(GUARDS)
    assert {guard.code for guard in GUARDS.values()} <= set(CODES)
