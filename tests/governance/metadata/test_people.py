"""Users, their tokens and sessions, projects and roles."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lakeshelf.governance.domain.requests.approvals import Member
from lakeshelf.governance.errors import GovernanceError
from lakeshelf.governance.metadata import Metadata, Transaction
from lakeshelf.governance.metadata.people import digest
from lakeshelf.governance.metadata.tables.people import (
    BrowserSession,
    Identity,
    SignInLink,
    Token,
    User,
)
from lakeshelf.governance.metadata.tables.projects import GroupMember, Membership, Project
from tests.governance.conftest import NOW

HOUR = timedelta(hours=1)
SECRET = "a secret of the tests"  # pragma: allowlist secret
SHARED = settings(
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def user(name: str, *, admin: bool = False) -> User:
    return User(name, name.title(), admin=admin, created_at=NOW)


def token(name: str) -> Token:
    return Token("t1", name, "laptop", digest(SECRET), ("merge",), "ann", NOW, NOW + HOUR)


def code(act: Callable[[], object]) -> str:
    with pytest.raises(GovernanceError) as refused:
        act()
    return refused.value.code


def crew(tx: Transaction) -> None:
    """Ann owns `retail`, Ben contributes."""
    for name in ("ann", "ben", "cat"):
        tx.people.add(user(name))
    tx.projects.add(Project("retail", "Retail", "", "ann", NOW))
    tx.projects.set_role(Membership("retail", "ben", "contributor", "ann", NOW))


def test_the_first_user_is_made_once(metadata: Metadata) -> None:
    with metadata.transaction() as tx:
        tx.people.add_first(user("ann", admin=True))
    with metadata.transaction() as tx:
        assert code(lambda: tx.people.add_first(user("eve", admin=True))) == "exists"
        assert code(lambda: tx.people.add(user("ann"))) == "exists"
        assert tx.people.all() == [user("ann", admin=True)]


def test_the_last_admin_stays(metadata: Metadata) -> None:
    with metadata.transaction() as tx:
        tx.people.add(user("ann", admin=True))
        assert code(lambda: tx.people.disable("ann", NOW)) == "last_owner"
        assert code(lambda: tx.people.change("ann", admin=False)) == "last_owner"
        tx.people.add(user("ben", admin=True))
        assert tx.people.disable("ann", NOW).disabled_at == NOW
        assert code(lambda: tx.people.change("ben", admin=False)) == "last_owner"
        assert tx.people.enable("ann").disabled_at is None


def test_a_token_is_good_until_it_expires_is_revoked_or_its_user_is_shut_out(
    metadata: Metadata,
) -> None:
    with metadata.transaction() as tx:
        tx.people.add(user("ben"))
        tx.people.issue(token("ben"))
        assert tx.people.authenticate(SECRET, NOW) == (user("ben"), token("ben"))
        assert code(lambda: tx.people.authenticate("guessed", NOW)) == "unauthenticated"
        assert code(lambda: tx.people.authenticate(SECRET, NOW + HOUR)) == "unauthenticated"
        tx.people.disable("ben", NOW)
        assert code(lambda: tx.people.authenticate(SECRET, NOW)) == "unauthenticated"
        tx.people.enable("ben")
        tx.people.used(token("ben"), NOW)
        assert tx.people.token("t1").last_used_at == NOW
        assert tx.people.revoke("t1", NOW).revoked_at == NOW
        assert tx.people.revoke("t1", NOW + HOUR).revoked_at == NOW
        assert code(lambda: tx.people.authenticate(SECRET, NOW)) == "unauthenticated"
        assert [t.id for t in tx.people.tokens("ben")] == ["t1"]


def test_no_secret_is_in_what_a_record_says() -> None:
    session = browser_session(csrf="csrf-secret")
    link = sign_in_link()
    said = f"{token('ben')!r} {session!r} {link!r}"
    assert not any(secret in said for secret in (digest(SECRET), "csrf-secret"))


def browser_session(csrf: str = "csrf", of_token: str | None = None) -> BrowserSession:
    return BrowserSession(
        "s1", digest(SECRET), "ben", ("read",), of_token, csrf, NOW, NOW + 2 * HOUR
    )


def sign_in_link(of_token: str | None = None) -> SignInLink:
    return SignInLink(digest(SECRET), "ben", ("read",), of_token, "ann", NOW, NOW + 2 * HOUR)


def test_a_session_of_a_browser_ends(metadata: Metadata) -> None:
    session = browser_session()
    with metadata.transaction() as tx:
        tx.people.add(user("ben"))
        tx.browsers.sign_in(session)
        assert tx.browsers.signed_in(SECRET, NOW) == (user("ben"), session)
        assert tx.browsers.open("ben", NOW) == [session]
        assert code(lambda: tx.browsers.signed_in(SECRET, NOW + 2 * HOUR)) == "unauthenticated"
        tx.browsers.sign_out(session.id, NOW)
        assert code(lambda: tx.browsers.signed_in(SECRET, NOW)) == "unauthenticated"
        assert (tx.browsers.open("ben", NOW), tx.browsers.is_good(session.id, NOW)) == ([], False)
        assert tx.browsers.forget(NOW) == 0
        assert tx.browsers.forget(NOW + 2 * HOUR) == 1


def test_a_link_signs_in_once(metadata: Metadata) -> None:
    with metadata.transaction() as tx:
        tx.people.add(user("ben"))
        link = tx.browsers.add_link(sign_in_link())
        assert code(lambda: tx.browsers.use_link("other", NOW)) == "unauthenticated"
        assert code(lambda: tx.browsers.use_link(SECRET, NOW + 2 * HOUR)) == "unauthenticated"
        assert tx.browsers.use_link(SECRET, NOW) == link
        assert code(lambda: tx.browsers.use_link(SECRET, NOW)) == "unauthenticated"


def test_what_stems_from_a_token_ends_with_it(metadata: Metadata) -> None:
    with metadata.transaction() as tx:
        tx.people.add(user("ben"))
        tx.people.issue(replace(token("ben"), digest=digest("of the token")))
        tx.browsers.add_link(sign_in_link("t1"))
        tx.browsers.sign_in(browser_session(of_token="t1"))
        assert tx.browsers.signed_in(SECRET, NOW)
        assert code(lambda: tx.browsers.signed_in(SECRET, NOW + HOUR)) == "unauthenticated"
        assert code(lambda: tx.browsers.use_link(SECRET, NOW + HOUR)) == "unauthenticated"
        tx.people.revoke("t1", NOW)
        assert code(lambda: tx.browsers.signed_in(SECRET, NOW)) == "unauthenticated"
        assert code(lambda: tx.browsers.use_link(SECRET, NOW)) == "unauthenticated"


def test_a_user_is_known_by_a_provider(metadata: Metadata) -> None:
    with metadata.transaction() as tx:
        tx.people.add(user("ben"))
        assert tx.people.linked("https://id.example", "42") is None
        tx.people.link(Identity("https://id.example", "42", "ben", NOW))
        assert tx.people.linked("https://id.example", "42") == user("ben")


def test_who_makes_a_project_owns_it_and_the_last_owner_stays(metadata: Metadata) -> None:
    demoted = Membership("retail", "ann", "viewer", "ann", NOW)
    with metadata.transaction() as tx:
        crew(tx)
        assert tx.projects.role("retail", "ann") == "owner"
        assert tx.projects.role("retail", "cat") is None
        assert code(lambda: tx.projects.remove("retail", "ann")) == "last_owner"
        assert code(lambda: tx.projects.set_role(demoted)) == "last_owner"
        tx.projects.set_role(Membership("retail", "ben", "owner", "ann", NOW))
        tx.people.disable("ben", NOW)
        assert code(lambda: tx.projects.set_role(demoted)) == "last_owner"
        tx.people.enable("ben")
        tx.projects.set_role(demoted)
        assert [m.role for m in tx.projects.members("retail")] == ["viewer", "owner"]


def test_approvals_are_judged_by_role_group_and_whether_somebody_can_sign_in(
    metadata: Metadata,
) -> None:
    with metadata.transaction() as tx:
        crew(tx)
        tx.projects.join(GroupMember("retail", "dairy", "ben", "ann", NOW))
        tx.people.disable("ben", NOW)
        assert tx.projects.people("retail") == [
            Member("ann", "owner"),
            Member("ben", "contributor", frozenset({"dairy"}), active=False),
        ]


def test_an_outsider_sees_no_project(metadata: Metadata) -> None:
    with metadata.transaction() as tx:
        crew(tx)
        assert [p.id for p in tx.projects.all()] == ["retail"]
        assert [p.id for p in tx.projects.all("ben")] == ["retail"]
        assert tx.projects.all("cat") == []
        assert code(lambda: tx.projects.get("nowhere")) == "not_found"


def test_who_leaves_a_project_leaves_its_groups(metadata: Metadata) -> None:
    with metadata.transaction() as tx:
        crew(tx)
        joined = GroupMember("retail", "dairy", "ben", "ann", NOW)
        assert code(lambda: tx.projects.join(replace(joined, user="cat"))) == "not_found"
        tx.projects.join(joined)
        assert tx.projects.groups("retail") == {"dairy": frozenset({"ben"})}
        tx.projects.remove("retail", "ben")
        assert tx.projects.groups("retail") == {}


@SHARED
@given(
    st.datetimes(timezones=st.timezones()),
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
)
def test_what_is_kept_comes_back_as_it_was(
    metadata: Metadata, moment: datetime, label: str
) -> None:
    try:
        moment.astimezone(UTC)
    except OverflowError:
        return
    if moment.astimezone(UTC).year in {1, 9999}:
        return
    kept = User("ann", label, admin=False, created_at=moment)
    with metadata.transaction() as tx:
        read = tx.people.add(kept) and tx.people.get("ann")
        tx._connection.rollback()
    assert read == replace(kept, created_at=moment.astimezone(UTC))
    assert read.created_at.tzinfo is UTC


@pytest.mark.parametrize("label", ["a\0b", "\ud800"])
def test_text_that_one_of_the_databases_cannot_keep_is_refused_by_both(
    metadata: Metadata, label: str
) -> None:
    nobody = User("ann", label, admin=False, created_at=NOW)
    with pytest.raises(GovernanceError) as refused, metadata.transaction() as tx:
        tx.people.add(nobody)
    assert refused.value.code == "value_invalid"


def test_a_time_without_a_zone_is_refused(metadata: Metadata) -> None:
    nobody = replace(user("ann"), created_at=NOW.replace(tzinfo=None))
    with pytest.raises(GovernanceError) as refused, metadata.transaction() as tx:
        tx.people.add(nobody)
    assert refused.value.code == "value_invalid"


def test_times_of_any_zone_are_compared_as_times(metadata: Metadata) -> None:
    east = timezone(timedelta(hours=9))
    with metadata.transaction() as tx:
        tx.people.add(user("ben"))
        tx.people.issue(replace(token("ben"), expires_at=(NOW + HOUR).astimezone(east)))
        assert tx.people.authenticate(SECRET, (NOW + HOUR / 2).astimezone(east))


def test_names_are_sorted_alike_in_both_databases(metadata: Metadata) -> None:
    names = ["b_2", "b1", "ba", "b_a", "a"]
    with metadata.transaction() as tx:
        for name in names:
            tx.people.add(user(name))
        assert [u.name for u in tx.people.all()] == sorted(names)


def test_what_was_made_with_a_token_is_taken_back_with_it(metadata: Metadata) -> None:
    with metadata.transaction() as tx:
        crew(tx)
        parents = {"t1": None, "t2": "t1", "t3": "t2", "t4": "t1", "t5": None}
        for name, parent in parents.items():
            made = replace(token("ben"), id=name, digest=digest(name), parent=parent)
            tx.people.issue(made)
        tx.people.revoke("t2", NOW)
        revoked = {t.id: t.revoked_at for t in tx.people.tokens("ben")}
        assert revoked == dict.fromkeys(parents) | {"t2": NOW, "t3": NOW}
        tx.people.revoke("t1", NOW + HOUR)
        revoked = {t.id: t.revoked_at for t in tx.people.tokens("ben")}
        assert revoked == {"t1": NOW + HOUR, "t2": NOW, "t3": NOW, "t4": NOW + HOUR, "t5": None}


def test_an_id_of_a_provider_is_one_user(metadata: Metadata) -> None:
    ben = Identity("https://id.example", "248", "ben", NOW)
    with metadata.transaction() as tx:
        crew(tx)
        tx.people.link(ben)
        tx.people.link(replace(ben, created_at=NOW + HOUR))
        tx.people.link(replace(ben, subject="249"))
        assert code(lambda: tx.people.link(replace(ben, user="cat"))) == "exists"
        assert code(lambda: tx.people.link(replace(ben, subject="1", user="eve"))) == "not_found"
        linked = tx.people.linked("https://id.example", "248")
        assert linked is not None
        assert linked.name == "ben"
        assert tx.people.linked("https://other.example", "248") is None
        assert [one.subject for one in tx.people.identities("ben")] == ["248", "249"]
        assert code(lambda: tx.people.unlink(ben.issuer, "248", "cat")) == "not_found"
        tx.people.unlink(ben.issuer, "248", "ben")
        assert tx.people.linked("https://id.example", "248") is None
        assert [one.subject for one in tx.people.identities("ben")] == ["249"]
