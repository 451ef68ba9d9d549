"""One writes at a time; readers see one state and wait for nobody."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy.exc import DBAPIError

from lakeshelf.governance.errors import GovernanceError
from lakeshelf.governance.metadata import Metadata
from lakeshelf.governance.metadata.database import engines
from lakeshelf.governance.metadata.tables.people import User
from tests.governance.conftest import NOW
from tests.governance.postgres import Postgres

ANN, BEN = (User(name, "", admin=False, created_at=NOW) for name in ("ann", "ben"))


def add(metadata: Metadata, user: User) -> None:
    with metadata.transaction() as tx:
        tx.people.add(user)


def test_a_reader_sees_one_state_and_waits_for_no_writer(metadata: Metadata) -> None:
    with metadata.reading() as before, metadata.transaction() as writing:
        assert before.people.all() == []
        writing.people.add(ANN)
        with metadata.reading() as beside:
            assert beside.people.all() == []
        writing._connection.commit()
        assert before.people.all() == []
        with metadata.reading() as after:
            assert after.people.all() == [ANN]


def test_a_reader_cannot_write(metadata: Metadata) -> None:
    with (
        pytest.raises((GovernanceError, DBAPIError), match=r"readonly|read-only"),
        metadata.reading() as tx,
    ):
        tx.people.add(ANN)
    add(metadata, ANN)


def test_what_is_raised_within_a_transaction_undoes_it_and_comes_out_as_it_is(
    metadata: Metadata,
) -> None:
    def fail() -> None:
        with metadata.transaction() as tx:
            tx.people.add(ANN)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with metadata.reading() as tx:
        assert tx.people.all() == []


def test_who_waits_too_long_for_other_writers_is_told(
    database: Path | str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "WAIT_S", 0.1)
    with Metadata.open(database) as metadata:
        with metadata.transaction() as tx:
            tx.people.add(ANN)
            with pytest.raises(GovernanceError, match="others write at the moment") as refused:
                add(metadata, BEN)
        assert (refused.value.code, refused.value.status) == ("storage_unavailable", 503)
        with metadata.reading() as tx:
            assert tx.people.all() == [ANN]


def stalled(metadata: Metadata) -> None:
    """Ann's writer asks for nothing while Ben's waits for it."""
    with metadata.transaction() as tx:
        tx.people.add(ANN)
        add(metadata, BEN)
        tx.people.all()


def test_postgresql_ends_a_writer_that_stalls(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "STALLED_S", 1)
    with Metadata.open(postgres.create()) as metadata:
        with pytest.raises(GovernanceError, match="it was cut off: try again"):
            stalled(metadata)
        with metadata.reading() as tx:
            assert tx.people.all() == [BEN]


def test_without_that_the_others_would_wait_in_vain(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "STALLED_S", 0)
    monkeypatch.setattr(engines, "WAIT_S", 1)
    with (
        Metadata.open(postgres.create()) as metadata,
        pytest.raises(GovernanceError, match="others write at the moment"),
    ):
        stalled(metadata)
