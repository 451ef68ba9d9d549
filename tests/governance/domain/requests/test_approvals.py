"""An approval counts while it is about what there is, and its giver may still give it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakeshelf.governance.domain.definition import ApprovalPolicy
from lakeshelf.governance.domain.permissions import RequestSubject
from lakeshelf.governance.domain.requests.approvals import (
    CHECKS,
    Approval,
    ApprovalState,
    Member,
    ReviewedContent,
    eligible,
    judged,
    passed_checks,
    require_meetable,
)
from lakeshelf.governance.errors import GovernanceError

ANN = Member("ann", "owner", frozenset({"pricing"}))
BEN = Member("ben", "contributor")
CAT = Member("cat", "contributor", frozenset({"pricing"}))
VIC = Member("vic", "viewer")
BOT = Member("bot", "service", frozenset({"pricing"}))
PEOPLE = (ANN, BEN, CAT, VIC, BOT)
CONTENT = ReviewedContent(2, "hash", 1, frozenset({"price"}))
BY_BEN = RequestSubject(authors=frozenset({"ben"}))
POLICY = ApprovalPolicy(2, {"price": "pricing", "name": "naming"})


def given_by(*names: str) -> list[Approval]:
    return [Approval(name, 2, "hash", 1) for name in names]


def judge(approvals: list[Approval], **changes: Any) -> ApprovalState:
    parts = {"policy": ApprovalPolicy(), "content": CONTENT, "members": PEOPLE, "subject": BY_BEN}
    parts |= changes
    return judged(approvals=approvals, **parts)


def test_a_policy_is_met_by_number_and_group() -> None:
    assert judge(given_by("ann", "cat"), policy=POLICY).met
    assert judge(given_by("ann"), policy=POLICY).missing == ("1 of 2 approvals missing",)
    assert not judge(given_by("ann", "ann"), policy=POLICY).met
    dan = Member("dan", "contributor")
    eve = Member("eve", "contributor")
    lacking = judge(given_by("dan", "eve"), policy=POLICY, members=(*PEOPLE, dan, eve))
    assert lacking.missing == ("nobody of pricing approved price",)


@pytest.mark.parametrize(
    ("approval", "reason"),
    [
        (Approval("ann", 1, "hash", 1), "older revision"),
        (Approval("ann", 2, "other", 1), "other content"),
        (Approval("ann", 2, "hash", 0), "another definition"),
        (Approval("ben", 2, "hash", 1), "author"),
        (Approval("vic", 2, "hash", 1), "named"),
        (Approval("bot", 2, "hash", 1), "service"),
        (Approval("eve", 2, "hash", 1), "no member"),
    ],
)
def test_an_approval_that_does_not_count_is_told_why(approval: Approval, reason: str) -> None:
    judgement = judge([approval])
    assert not judgement.met
    assert reason in judgement.discounted[approval.giver]


def test_it_counts_while_its_giver_may_still_give_it() -> None:
    assert judge(given_by("cat")).met
    for now in (replace(CAT, active=False), replace(CAT, role="viewer")):
        assert not judge(given_by("cat"), members=(ANN, BEN, now)).met
    resolved = RequestSubject(authors=frozenset({"ben", "cat"}))
    assert not judge(given_by("cat"), subject=resolved).met
    assert judge(given_by("vic"), subject=replace(BY_BEN, reviewers=frozenset({"vic"}))).met


def test_who_approves_again_after_a_change_counts() -> None:
    judgement = judge([Approval("ann", 1, "old", 1), *given_by("ann")])
    assert (judgement.counting, judgement.discounted) == (("ann",), {})


def test_required_checks_have_to_have_passed() -> None:
    policy = ApprovalPolicy(required_checks=("submit",))
    assert not judge(given_by("ann"), policy=policy).met
    assert judge(given_by("ann"), policy=policy, passed=["submit"]).met


def test_owners_of_today_approve_a_definition() -> None:
    subject = replace(BY_BEN, kind="definition", owners=frozenset({"long_gone"}))
    assert judge(given_by("ann"), subject=subject).met
    assert not judge(given_by("cat"), subject=subject).met
    assert judge(given_by("cat"), subject=subject, members=(replace(ANN, active=False), CAT)).met


@given(
    st.integers(1, 3),
    st.sets(st.sampled_from(["ann", "ben", "cat"])),
    st.booleans(),
    st.sets(st.sampled_from(["price", "name"])),
)
def test_a_policy_can_be_met_if_and_only_if_all_who_may_would_meet_it(
    number: int, authors: set[str], naming: bool, columns: set[str]
) -> None:
    members = (*PEOPLE, Member("dan", "contributor", frozenset({"naming"} if naming else ())))
    policy, subject = replace(POLICY, approvals=number), RequestSubject(authors=frozenset(authors))
    content = replace(CONTENT, columns=frozenset(columns))
    all_of_them = given_by(*(member.name for member in members))
    met = judge(all_of_them, policy=policy, content=content, members=members, subject=subject).met
    assert not {m.name for m in eligible(members, subject)} & {*authors, "vic", "bot"}
    if met:
        require_meetable(policy, columns, members, subject)
        return
    with pytest.raises(GovernanceError) as refusal:
        require_meetable(policy, columns, members, subject)
    assert refusal.value.code == "policy_unmeetable"
    assert refusal.value.details["missing"]


def test_a_check_that_nothing_runs_is_refused_where_it_is_submitted() -> None:
    with pytest.raises(GovernanceError, match="there is no check nightly") as error:
        require_meetable(ApprovalPolicy(required_checks=("nightly",)), (), PEOPLE, BY_BEN)
    assert error.value.code == "policy_unmeetable"
    require_meetable(ApprovalPolicy(required_checks=CHECKS), (), PEOPLE, BY_BEN)


def test_a_check_that_passed_stands_for_those_before_it() -> None:
    assert passed_checks(["approve", "merge"]) == {"submit", "approve"}
    assert passed_checks(["submit"]) == {"submit"}
    assert passed_checks(["cell", "preview"]) == set()
