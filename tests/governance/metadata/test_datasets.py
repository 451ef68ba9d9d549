"""Datasets, definitions, where tables stand, snapshots and live sessions."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from lakeshelf.governance.errors import GovernanceError
from lakeshelf.governance.metadata import Metadata
from lakeshelf.governance.metadata.tables.datasets import DatasetMeta, LiveSession, NamedSnapshot
from lakeshelf.governance.metadata.tables.projects import NamedViewer
from tests.governance.conftest import NOW
from tests.governance.metadata.shop import DATASET, DEFINITION, HOUR, code, open_shop

SESSION = LiveSession("s1", "retail", "wh_policies", "ben", 7, 1, None, 0, 0, NOW, NOW)


@pytest.fixture
def shop(metadata: Metadata) -> Metadata:
    with metadata.transaction() as tx:
        open_shop(tx)
    return metadata


def test_a_dataset_is_there_with_its_first_definition(shop: Metadata) -> None:
    with shop.transaction() as tx:
        assert tx.datasets.get("retail", "wh_policies") == DATASET
        assert tx.datasets.definition("retail", "wh_policies") == DEFINITION
        assert tx.datasets.all("retail") == tx.datasets.all() == [DATASET]
        assert tx.datasets.all("other") == []
        assert code(lambda: tx.datasets.add(DATASET, DEFINITION)) == "exists"
        assert code(lambda: tx.datasets.get("retail", "other")) == "not_found"


def test_definitions_follow_each_other(shop: Metadata) -> None:
    second = DEFINITION.next(deletes=False)
    with shop.transaction() as tx:
        now = tx.datasets.define(DATASET, second, request=3, by="ben", at=NOW)
        assert now.definition_version == 2
        assert tx.datasets.definition("retail", "wh_policies") == second
        assert tx.datasets.definition("retail", "wh_policies", 1) == DEFINITION
        versions = tx.datasets.definitions("retail", "wh_policies")
        assert [(v.version, v.request) for v in versions] == [(1, None), (2, 3)]
        with pytest.raises(GovernanceError, match="has changed since") as refused:
            tx.datasets.define(DATASET, second, request=4, by="ann", at=NOW)
        assert refused.value.details == {"definition_version": 2}
        assert code(lambda: tx.datasets.definition("retail", "wh_policies", 3)) == "not_found"


def test_a_table_is_never_said_to_stand_where_it_stood_before(shop: Metadata) -> None:
    meta = DatasetMeta("retail", "wh_policies", 8, "cr:41", 100, NOW)
    with shop.transaction() as tx:
        assert code(lambda: tx.datasets.meta("retail", "wh_policies")) == "not_found"
        assert tx.datasets.stands(meta) == meta
        late = replace(meta, delta_version=7, last_commit_id="cr:40")
        assert tx.datasets.stands(late) == meta
        counted = replace(meta, row_count=99)
        assert tx.datasets.stands(counted) == counted
        assert tx.datasets.meta("retail", "wh_policies") == counted


def test_snapshots_have_a_name_each(shop: Metadata) -> None:
    stock_take = NamedSnapshot(
        "retail", "wh_policies", "stock_take", 8, 1, 100, "the year's end", "ann", NOW
    )
    with shop.transaction() as tx:
        tx.datasets.keep_snapshot(stock_take)
        assert code(lambda: tx.datasets.keep_snapshot(stock_take)) == "exists"
        assert tx.datasets.snapshot("retail", "wh_policies", "stock_take") == stock_take
        assert tx.datasets.snapshots("retail", "wh_policies") == [stock_take]


def test_viewers_are_named_for_a_dataset_until_they_leave(shop: Metadata) -> None:
    with shop.transaction() as tx:
        tx.projects.name(NamedViewer("retail", "wh_policies", "ben", "ann", NOW))
        assert tx.projects.named("retail", "wh_policies") == {"ben"}
        tx.projects.unname("retail", "wh_policies", "ben")
        assert code(lambda: tx.projects.unname("retail", "wh_policies", "ben")) == "not_found"
        tx.projects.name(NamedViewer("retail", "wh_policies", "ben", "ann", NOW))
        tx.projects.remove("retail", "ben")
        assert tx.projects.named("retail", "wh_policies") == frozenset()


def test_edits_that_arrive_at_once_have_numbers_of_their_own(shop: Metadata) -> None:
    def edit(_: int) -> int:
        with shop.transaction() as tx:
            return tx.sessions.edit("s1", edits=3, size=10, at=NOW + HOUR)

    with shop.transaction() as tx:
        tx.sessions.add(SESSION)
    with ThreadPoolExecutor(8) as threads:
        assert sorted(threads.map(edit, range(8), timeout=300)) == list(range(1, 25, 3))
    with shop.reading() as tx:
        after = replace(SESSION, edits=24, size=80, edited_at=NOW + HOUR)
        assert tx.sessions.get("s1") == after


def test_a_session_that_has_ended_takes_no_edits(shop: Metadata) -> None:
    with shop.transaction() as tx:
        tx.sessions.add(SESSION)
        tx.sessions.add(replace(SESSION, id="s2", created_at=NOW + HOUR, edited_at=NOW + HOUR))
        assert [s.id for s in tx.sessions.open("retail", "wh_policies", "ben")] == ["s2", "s1"]
        assert [s.id for s in tx.sessions.idle(NOW)] == ["s1"]
        assert tx.sessions.end("s1", NOW).ended_at == NOW
        assert tx.sessions.end("s1", NOW + HOUR).ended_at == NOW
        assert code(lambda: tx.sessions.edit("s1", edits=1, size=1, at=NOW)) == "gone"
        assert [s.id for s in tx.sessions.open("retail")] == ["s2"]
        assert tx.sessions.open("retail", user="ann") == []
        assert code(lambda: tx.sessions.get("s3")) == "not_found"
