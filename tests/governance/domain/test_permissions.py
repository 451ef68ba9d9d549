"""Roles may do what the table says; whoever may not is told why."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from lakeshelf.governance.domain.permissions import (
    ACTIONS,
    INSTALLATION,
    ROLES,
    SCOPES,
    SHOP,
    STAFF,
    TABLE,
    Actor,
    RequestSubject,
    can,
    require,
)
from lakeshelf.governance.errors import GovernanceError

YES, NO, NAMED = True, False, "named"
RIGHTS: dict[str, tuple[Any, Any, Any, Any]] = {
    # owner, contributor, viewer, service account
    "read": (YES, YES, YES, YES),
    "comment": (YES, YES, YES, YES),
    "edit": (YES, YES, NO, YES),
    "import": (YES, YES, NO, YES),
    "create_change_request": (YES, YES, NO, YES),
    "approve": (YES, YES, NAMED, NO),
    "reject": (YES, YES, NAMED, NO),
    "merge": (YES, YES, NO, YES),
    "force": (YES, NO, NO, NO),
    "restore_at_once": (YES, NO, NO, NO),
    "ask_reviewer": (YES, NO, NO, NO),
    "publish_again": (YES, NO, NO, NO),
    "manage_members": (YES, NO, NO, NO),
    "manage_webhooks": (YES, NO, NO, NO),
    "see_acts": (YES, YES, YES, YES),
    "look_after_shelves": (YES, YES, NO, YES),
    "promote_models": (YES, NO, NO, NO),
}
CASES = [
    (action, role, right)
    for action, rights in RIGHTS.items()
    for role, right in zip(ROLES, rights, strict=True)
]


def test_every_action_stands_in_the_table() -> None:
    assert set(RIGHTS) == {*TABLE, *STAFF}


@pytest.mark.parametrize(("action", "role", "right"), CASES)
@pytest.mark.parametrize("named", [True, False])
def test_a_role_may_what_the_table_says(action: str, role: Any, right: Any, named: bool) -> None:
    subject = RequestSubject(reviewers=frozenset(["pat"] if named else []), restore_by_owner=True)
    answer = can(Actor("pat", role), action, subject)
    assert (answer is True) is (right is True or (right == NAMED and named))
    if answer is not True:
        assert len(answer) > 10
        with pytest.raises(GovernanceError, match="pat may not") as refusal:
            require(Actor("pat", role), action, subject)
        assert refusal.value.code == "forbidden"


@pytest.mark.parametrize("action", list(TABLE))
@pytest.mark.parametrize("admin", [True, False])
def test_an_outsider_finds_nothing_even_as_an_admin(action: str, admin: bool) -> None:
    outsider = Actor("pat", None, admin=admin)
    assert can(outsider, action) == "you have no role in this project"
    with pytest.raises(GovernanceError) as refusal:
        require(outsider, action)
    assert refusal.value.code == "not_found"


@pytest.mark.parametrize("action", list(STAFF))
@pytest.mark.parametrize("admin", [True, False])
def test_who_is_not_of_the_staff_is_told_whose_members_are(action: str, admin: bool) -> None:
    outsider = Actor("pat", None, admin=admin)
    assert can(outsider, action) == f"you have no role in the project {SHOP}"
    with pytest.raises(GovernanceError) as refusal:
        require(outsider, action)
    assert refusal.value.code == "forbidden"


@pytest.mark.parametrize("action", list(RIGHTS))
def test_a_token_without_the_scope_may_not(action: str) -> None:
    rest = frozenset(scope for scope in SCOPES if scope != {**TABLE, **STAFF}[action].scope)
    subject = RequestSubject(restore_by_owner=True)
    assert can(Actor("pat", "owner"), action, subject) is True
    assert "scope" in str(can(Actor("pat", "owner", rest), action, subject))


@pytest.mark.parametrize(("action", "role"), list(product(INSTALLATION, [None, *ROLES])))
def test_the_installation_is_for_admins(action: str, role: Any) -> None:
    assert can(Actor("pat", role), action) != True  # noqa: E712
    assert can(Actor("pat", role, admin=True), action) is True
    assert can(Actor("pat", role, frozenset({"read"}), admin=True), action) is not True


@pytest.mark.parametrize("action", ["approve", "force"])
def test_no_author_approves_or_forces_owners_included(action: str) -> None:
    subject = RequestSubject(authors=frozenset({"pat"}))
    assert can(Actor("ann", "owner"), action, subject) is True
    with pytest.raises(GovernanceError) as refusal:
        require(Actor("pat", "owner"), action, subject)
    assert refusal.value.code == "author_approves"


def test_a_definition_is_approved_by_an_owner_if_there_is_another() -> None:
    ben, ann = Actor("ben", "contributor"), Actor("ann", "owner")
    by_ben = RequestSubject(frozenset({"ben"}), kind="definition", owners=frozenset({"ann"}))
    by_ann = RequestSubject(frozenset({"ann"}), kind="definition", owners=frozenset({"ann"}))
    assert can(ann, "approve", by_ben) is True
    assert "ann" in str(can(Actor("cat", "contributor"), "approve", by_ben))
    assert can(ben, "approve", by_ann) is True
    named = RequestSubject(by_ann.authors, frozenset({"vic"}), "definition", by_ann.owners)
    assert can(Actor("vic", "viewer"), "approve", named) is not True


def test_an_owner_restores_at_once_where_the_policy_says_so() -> None:
    assert can(Actor("ann", "owner"), "restore_at_once", RequestSubject()) is not True


def test_actions_are_named_once() -> None:
    assert len(set(ACTIONS)) == len(ACTIONS)
