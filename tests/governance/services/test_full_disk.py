"""A disk that is full, or a table that cannot be read: nothing is half done, and all goes on when it can."""

from __future__ import annotations

from typing import Any

import pytest

from lakeshelf.governance.domain.requests.lifecycle import step
from lakeshelf.governance.errors import GovernanceError
from lakeshelf.governance.services import history, runs, upkeep
from lakeshelf.governance.services.changes import merging, proposals, recovery
from lakeshelf.governance.services.context import Context
from lakeshelf.lake.place import storage
from lakeshelf.lake.place.errors import StorageError
from tests.governance.services.acting import approved, done, insert, merged, proposed, rows, set_
from tests.governance.services.conftest import ANN, DATASET, PROJECT
from tests.governance.services.test_meanwhile import database

__all__ = ["database"]
pytestmark = pytest.mark.timeout(300)


def full(*_: Any, **__: Any) -> Any:
    raise StorageError("no space is left on the device")


@pytest.mark.parametrize(
    ("place", "name"), [(merging, "write_json"), (runs, "keep"), (merging.Merger, "_mergeable")]
)
def test_a_merge_that_could_not_write_its_plan_is_approved_as_before(
    context: Context, monkeypatch: pytest.MonkeyPatch, place: object, name: str
) -> None:
    request = approved(context, proposed(context, ANN, insert("A1")))
    with monkeypatch.context() as patch:
        patch.setattr(place, name, full)
        with pytest.raises(GovernanceError) as refusal:
            merged(context, request)
    assert refusal.value.code == "storage_unavailable"
    with context.metadata.reading() as tx:
        assert tx.requests.get(PROJECT, request.number).status == "approved"
    merged(context, request)
    assert rows(context).keys() == {"A1"}


def test_a_proposal_that_could_not_be_written_leaves_no_draft_behind(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = done(context, insert("A1")).merged_version
    done(context, set_("A1", "min_qty", 7))
    assert version is not None
    with monkeypatch.context() as patch:
        patch.setattr(proposals, "keep", full)
        with pytest.raises(StorageError):
            history.restore(context, ANN, PROJECT, DATASET, version)
    with context.metadata.reading() as tx:
        assert tx.requests.all(PROJECT)[0].status == "withdrawn"


def test_a_merge_that_cannot_be_cleaned_up_does_not_keep_others_waiting(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(merging, "clean_up", lambda _, request: request)
        numbers = [done(context, insert(row)).number for row in ("A1", "A2")]
    cleaned = recovery.clean_up
    full_of_one = lambda at, one: (full if one.number == numbers[0] else cleaned)(at, one)  # noqa: E731
    monkeypatch.setattr(recovery, "clean_up", full_of_one)
    assert [one.number for one in recovery.recover(context)] == numbers[1:]


def test_a_table_that_is_gone_does_not_keep_upkeep_from_others(context: Context) -> None:
    request = proposed(context, ANN, insert("A1"))
    storage.remove(context.root, context.folder(PROJECT, DATASET).main)
    assert upkeep.stand(context) == []
    assert upkeep.mark_open(context) == []
    with context.metadata.reading() as tx:
        assert tx.requests.get(PROJECT, request.number).status == "pending_review"


def test_of_what_is_being_merged_it_is_told_that_the_service_goes_on() -> None:
    with pytest.raises(GovernanceError, match="the service goes on with it"):
        step("merging", "merge", {})
    with pytest.raises(GovernanceError, match="nothing more is decided of it"):
        step("closed", "merge", {})
