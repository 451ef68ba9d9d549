"""The audit cannot be changed by a statement, and shows who changed it in another way."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lakeshelf.governance.metadata import Metadata, Transaction
from lakeshelf.governance.metadata.audit import BrokenLink, link_hash
from tests.governance.conftest import NOW
from tests.governance.metadata.shop import ACT, HOUR
from tests.governance.postgres import Postgres

LINKS = 5
SHARED = settings(
    max_examples=20,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
TAMPERINGS = {
    "a field": ("UPDATE audit_event SET \"user\" = 'eve' WHERE number = 3", 3, "it was changed"),
    "a time": (
        "UPDATE audit_event SET happened_at = (SELECT max(happened_at) FROM audit_event) WHERE number = 1",
        1,
        "it was changed",
    ),
    "details": (
        "UPDATE audit_event SET details = '{\"revision\":2}' WHERE number = 5",
        5,
        "it was changed",
    ),
    "the first removed": ("DELETE FROM audit_event WHERE number = 1", 1, "it is missing"),
    "one removed": ("DELETE FROM audit_event WHERE number = 4", 4, "it is missing"),
    "one removed and the rest counted anew": (
        "DELETE FROM audit_event WHERE number = 4; "
        "UPDATE audit_event SET number = 4 WHERE number = 5",
        4,
        "it does not follow the link before it",
    ),
    "two exchanged": (
        "UPDATE audit_event SET number = 99 WHERE number = 2; "
        "UPDATE audit_event SET number = 2 WHERE number = 3; "
        "UPDATE audit_event SET number = 3 WHERE number = 99",
        2,
        "it does not follow the link before it",
    ),
}


def written(tx: Transaction) -> None:
    for number in range(LINKS):
        tx.audit.add(replace(ACT, happened_at=NOW + number * HOUR, details={"revision": 1}))


def without_triggers(tx: Transaction, statements: str) -> None:
    """What somebody can do who owns the database."""
    drops = {
        "sqlite": "DROP TRIGGER audit_event_no_update; DROP TRIGGER audit_event_no_delete",
        "postgresql": "DROP TRIGGER audit_event_append_only ON audit_event",
    }
    for statement in f"{drops[tx._connection.dialect.name]}; {statements}".split("; "):
        tx._connection.exec_driver_sql(statement)


@pytest.mark.parametrize("act", ["UPDATE audit_event SET action = 'x'", "DELETE FROM audit_event"])
def test_no_statement_changes_the_audit(metadata: Metadata, act: str) -> None:
    with metadata.transaction() as tx:
        written(tx)
    with pytest.raises(Exception, match="append-only"), metadata.transaction() as tx:
        tx._connection.exec_driver_sql(act)
    with metadata.reading() as tx:
        assert len(tx.audit.after("retail")) == LINKS


def test_postgresql_does_not_empty_the_audit_either(postgres: Postgres) -> None:
    with (
        Metadata.open(postgres.create()) as metadata,
        pytest.raises(Exception, match="append-only"),
        metadata.transaction() as tx,
    ):
        tx._connection.exec_driver_sql("TRUNCATE audit_event")


def test_a_chain_is_whole_and_each_project_has_its_own(metadata: Metadata) -> None:
    with metadata.transaction() as tx:
        written(tx)
        tx.audit.add(replace(ACT, project=""))
        assert tx.audit.chains() == ["", "retail"]
        assert [tx.audit.verify(chain) for chain in ("", "retail", "none")] == [None] * 3
        head = tx.audit.head("retail")
        assert head is not None
        assert head.number == LINKS
        assert tx.audit.head("none") is None
        assert [a.number for a in tx.audit.after("retail", 3)] == [4, 5]
        assert tx.audit.after("retail", user="eve") == []


@pytest.mark.parametrize("name", TAMPERINGS)
def test_the_first_link_that_was_tampered_with_is_named(metadata: Metadata, name: str) -> None:
    statements, number, problem = TAMPERINGS[name]
    with metadata.transaction() as tx:
        written(tx)
        without_triggers(tx, statements)
        assert tx.audit.verify("retail") == BrokenLink("retail", number, problem)


def test_a_chain_that_is_cut_off_or_written_anew_differs_from_its_copy(metadata: Metadata) -> None:
    with metadata.transaction() as tx:
        written(tx)
        known = tx.audit.head("retail")
        assert known is not None
        assert tx.audit.verify("retail", known) is None
        without_triggers(tx, f"DELETE FROM audit_event WHERE number = {LINKS}")
        assert tx.audit.verify("retail") is None
        assert tx.audit.verify("retail", known) == BrokenLink("retail", LINKS, "it is missing")
        tx.audit.add(replace(ACT, user="eve"))
        assert tx.audit.verify("retail") is None
        broken = tx.audit.verify("retail", known)
        assert broken == BrokenLink("retail", LINKS, "it is another one than the copy has")


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@SHARED
@given(st.dictionaries(st.text(), JSON, max_size=4))
def test_any_details_come_back_as_they_were_and_hold_the_chain(
    metadata: Metadata, details: dict[str, object]
) -> None:
    with metadata.transaction() as tx:
        link = tx.audit.add(replace(ACT, details=details))
        assert tx.audit.head("retail") == link
        assert link.hash == link_hash(link)
        assert tx.audit.verify("retail") is None
