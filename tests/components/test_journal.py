"""The journal on real Delta tables: decided once, committed once, and folded in the end."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from lakeshelf.components.component import Decision, JournalEntry, Message, Upsert
from lakeshelf.components.journal import Journal, OwnTable, opened
from lakeshelf.contracts import CATALOG, arrow
from lakeshelf.errors import LakeError
from lakeshelf.lake.form.commits import Txn
from lakeshelf.lake.rows import tables
from lakeshelf.lake.upkeep.maintenance import SMALL_FILES
from lakeshelf.lake.write import writing
from tests.lake.upkeep.test_maintenance import NO_RETENTION

OWNER, TABLE = "wh-supplier-manager", "ops/journal_wh_supplier_manager"
ORDERS, RECEIPTS = "ops/wh_supplier_orders", "ops/wh_supplier_receipts"
FEATURES = "curated/features_store"
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in (TABLE, ORDERS, RECEIPTS):
        tables.ensure(tmp_path, CATALOG.tables[name])
    return tmp_path


@pytest.fixture
def journal(root: Path) -> Journal:
    return Journal(root, OWNER, TABLE)


def order(shelf: str, status: str = "issued", version: int = 1) -> dict[str, Any]:
    """An order of a shelf."""
    return {
        "order_id": f"2026-03-02:{shelf}",
        "supplier_plan_id": f"supply:{shelf}",
        "delivery_date": date(2026, 3, 2),
        "store_id": "S1",
        "shelf_id": shelf,
        "total_qty": 12,
        "status": status,
        "cutoff_ts": NOON,
        "delivery_ts": None if version == 1 else NOON + DAY,
        "created_at": NOON,
        "updated_at": NOON,
        "version": version,
    }


def issued(*shelves: str, at: datetime = NOON) -> Decision:
    """Orders that are placed."""
    messages = tuple(Message.of("wh_supplier_orders", order(shelf)) for shelf in shelves)
    return Decision(f"cutoff:{at.isoformat()}", at, messages, memory={"carts": {"V": [1, 2]}})


def delivered(shelf: str) -> Decision:
    """An order that is delivered, with its receipt."""
    message = Message.of("wh_supplier_orders", order(shelf, "delivered", 2))
    receipt = {
        "receipt_id": f"2026-03-02:{shelf}:1",
        "order_id": f"2026-03-02:{shelf}",
        "delivery_date": date(2026, 3, 2),
        "shelf_id": shelf,
        "received_qty": 12,
        "created_at": NOON + DAY,
    }
    return Decision("delivery", NOON + DAY, (message,), {RECEIPTS: (receipt,)})


def rows(root: Path, name: str) -> list[dict[str, Any]]:
    """Rows of a table in the order of its key."""
    found = tables.open_table(root, name).to_pyarrow_table().to_pylist()
    return sorted(found, key=lambda row: tuple(row[k] for k in CATALOG.tables[name].key))


def commit(journal: Journal, decision: Decision, offset: int = 1) -> JournalEntry:
    """Commit what followed from a tick."""
    return journal.commit(decision, f"clock:0:{offset - 1}", {"clock": offset})


def test_a_decision_is_one_row_and_its_tables_follow(root: Path, journal: Journal) -> None:
    assert journal.last is None
    commit(journal, issued("A", "B"))
    commit(journal, delivered("A"), 7)
    assert [(r["seq"], r["cause"], r["event_time"]) for r in rows(root, TABLE)] == [
        (1, "clock:0:0", NOON),
        (2, "clock:0:6", NOON + DAY),
    ]
    assert rows(root, ORDERS) == [order("A", "delivered", 2), order("B")]
    assert [row["received_qty"] for row in rows(root, RECEIPTS)] == [12]


def test_a_later_process_reads_what_was_decided(root: Path, journal: Journal) -> None:
    for decision in (issued("A"), delivered("A")):
        commit(journal, decision)
    again = Journal(root, OWNER, TABLE)
    assert again.last == JournalEntry(2, delivered("A"))
    assert again.entries(0) == [JournalEntry(1, issued("A")), JournalEntry(2, delivered("A"))]
    assert again.entries(1) == [JournalEntry(2, delivered("A"))]
    assert again.entries(2) == []


def test_positions_are_those_of_the_latest_entry_that_followed_from_a_topic(
    root: Path, journal: Journal
) -> None:
    assert journal.position("clock", 0) is None
    commit(journal, issued("A"), 5)
    journal.commit(delivered("A"), "commands:0:8", {"commands": 9})
    again = Journal(root, OWNER, TABLE)
    assert [again.position(t, 0) for t in ("clock", "commands", "alerts")] == [5, 9, None]


def test_a_topic_that_was_made_again_has_no_position(root: Path, journal: Journal) -> None:
    journal.commit(issued("A"), "commands:0:8", {"commands": 9})
    journal.know({"commands": "first"})
    assert journal.position("commands", 0) == 9, "a journal of old keeps its place"
    again = Journal(root, OWNER, TABLE)
    again.know({"commands": "second"})
    assert again.position("commands", 0) is None
    again.commit(delivered("A"), "commands:0:3", {"commands": 4})
    later = Journal(root, OWNER, TABLE)
    later.know({"commands": "second"})
    assert later.position("commands", 0) == 4


def test_of_one_key_the_last_message_of_a_decision_counts(root: Path, journal: Journal) -> None:
    both = (*issued("A").messages, *delivered("A").messages)
    commit(journal, Decision("both", NOON, both))
    assert rows(root, ORDERS) == [order("A", "delivered", 2)]


class Crash(Exception):
    """The process ends here."""


def crash_after(monkeypatch: pytest.MonkeyPatch, name: str | None) -> None:
    """End the process when a table of the component is to be written, or behind the journal's row."""
    from lakeshelf.lake.write import merging

    upsert = merging.upsert

    def crashing(handle: Any, table: str, *arguments: Any) -> Any:
        if name is not None and table != name:
            return upsert(handle, table, *arguments)
        raise Crash

    monkeypatch.setattr(merging, "upsert", crashing)


@pytest.mark.parametrize("lost", [None, RECEIPTS])
def test_tables_are_completed_after_a_crash_between_journal_and_table(
    root: Path, journal: Journal, monkeypatch: pytest.MonkeyPatch, lost: str | None
) -> None:
    commit(journal, issued("A", "B"))
    with monkeypatch.context() as patch:
        crash_after(patch, lost)
        with pytest.raises(Crash):
            commit(journal, delivered("A"))
    assert rows(root, RECEIPTS) == []
    again = Journal(root, OWNER, TABLE)
    for _ in range(2):
        again.complete()
        assert rows(root, ORDERS) == [order("A", "delivered", 2), order("B")]
        assert len(rows(root, RECEIPTS)) == 1
    assert commit(again, issued("C", at=NOON + 2 * DAY)).seq == 3


def test_completing_what_is_complete_writes_nothing(root: Path, journal: Journal) -> None:
    journal.complete()
    for decision in (issued("A"), delivered("A")):
        commit(journal, decision)
    versions = [tables.open_table(root, name).version() for name in (ORDERS, RECEIPTS)]
    Journal(root, OWNER, TABLE).complete()
    assert versions == [tables.open_table(root, name).version() for name in (ORDERS, RECEIPTS)]


def test_a_second_writer_is_refused_and_writes_nothing(root: Path, journal: Journal) -> None:
    other = Journal(root, OWNER, TABLE)
    commit(journal, issued("A"))
    with pytest.raises(LakeError, match=r"has an entry 1 that this process did not write.* once"):
        commit(other, issued("B"))
    assert (len(rows(root, TABLE)), len(rows(root, ORDERS))) == (1, 1)
    assert commit(journal, delivered("A")).seq == 2


def features(day: date) -> Decision:
    """A day of features of one shelf."""
    schema = arrow.schema(CATALOG.tables[FEATURES].columns)
    numbers = {f.name: 0 for f in schema if pa.types.is_integer(f.type)}
    names = {f.name: "A" for f in schema if pa.types.is_string(f.type)}
    begin = datetime(day.year, day.month, day.day, tzinfo=UTC)
    row = {**numbers, **names, "feature_date": day, "discount": 0, "day_of_week": 1}
    told = {"is_weekend": False, "created_at": begin, "standard_batch_size": 1}
    table = pa.Table.from_pylist([{**row, **told}], schema)
    return Decision(str(day), begin, table=table)


def test_a_journal_that_is_the_components_own_table_takes_a_due_time_once(tmp_path: Path) -> None:
    tables.ensure(tmp_path, CATALOG.tables[FEATURES])
    day = date(2026, 3, 2)
    own = opened(tmp_path, "shelf-daily-features", FEATURES)
    assert isinstance(own, OwnTable)
    assert own.last is None
    for _ in range(2):
        own.commit(features(day), "clock:0:0", {"clock": 1})
    opened(tmp_path, "shelf-daily-features", FEATURES).commit(features(day), "", {})
    assert len(rows(tmp_path, FEATURES)) == 1
    again = opened(tmp_path, "shelf-daily-features", FEATURES)
    assert again.last is not None
    assert again.last.decision.event_time == features(day).event_time
    again.commit(features(day + DAY), "", {})
    assert [row["feature_date"] for row in rows(tmp_path, FEATURES)] == [day, day + DAY]


DEMAND = "curated/daily_demand"


def with_demand(decision: Decision, units: int, look: int) -> Decision:
    """The decision, and demand of a shelf on the first day, as it stands at a look."""
    row = {"shelf_id": "A", "day": date(2026, 3, 1), "units": units, "lines": 1}
    table = pa.Table.from_pylist(
        [row | {"store_id": "S1", "item_id": "I1", "revenue": 1}],
        arrow.schema(CATALOG.tables[DEMAND].columns),
    )
    upserts = {DEMAND: Upsert(table, (Txn("look", look), Txn("noted", units)))}
    return replace(decision, upserts=upserts)


@pytest.fixture
def features_root(tmp_path: Path) -> Path:
    for name in (FEATURES, DEMAND):
        tables.ensure(tmp_path, CATALOG.tables[name])
    return tmp_path


def test_rows_of_further_tables_stand_before_those_of_its_own(
    features_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = OwnTable(features_root, "shelf-daily-features", FEATURES)
    decision = with_demand(features(date(2026, 3, 2)), 4, 1)

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(writing, "append", killed)
        with pytest.raises(KeyboardInterrupt):
            own.commit(decision, "", {})
    assert [row["units"] for row in rows(features_root, DEMAND)] == [4]
    again = OwnTable(features_root, "shelf-daily-features", FEATURES)
    assert again.last is None
    again.commit(with_demand(decision, 5, 2), "", {})
    assert [row["units"] for row in rows(features_root, DEMAND)] == [5]
    assert len(rows(features_root, FEATURES)) == 1


def test_further_rows_that_change_nothing_are_noted(features_root: Path) -> None:
    own, day = OwnTable(features_root, "shelf-daily-features", FEATURES), date(2026, 3, 2)
    for look in (1, 2):
        own.commit(with_demand(features(day + look * DAY), 4, look), "", {})
    assert tables.open_table(features_root, DEMAND).transaction_version("look") == 2


def test_further_rows_of_another_process_are_not_built_upon(features_root: Path) -> None:
    own = OwnTable(features_root, "shelf-daily-features", FEATURES)
    own.commit(with_demand(features(date(2026, 3, 2)), 4, 1), "", {})
    with pytest.raises(LakeError, match="did not write"):
        own.commit(with_demand(features(date(2026, 3, 3)), 5, 1), "", {})
    assert len(rows(features_root, FEATURES)) == 1


def log(root: Path, name: str) -> int:
    """Entries of a table's log."""
    return len(list((root / name / "_delta_log").glob("*.json")))


def expiring(root: Path, *names: str) -> None:
    """Tables of which nothing old is retained."""
    for name in names:
        tables.ensure(root, CATALOG.tables[name])
        tables.open_table(root, name).alter.set_table_properties(NO_RETENTION)


@pytest.mark.slow
def test_journal_and_tables_stay_small_over_hundreds_of_decisions(tmp_path: Path) -> None:
    expiring(tmp_path, TABLE, ORDERS, RECEIPTS)
    journal = Journal(tmp_path, OWNER, TABLE)
    for number in range(110):
        commit(journal, issued("A", at=NOON + number * DAY))
    assert len(tables.open_table(tmp_path, TABLE).file_uris()) < SMALL_FILES
    assert log(tmp_path, TABLE) < 50
    assert log(tmp_path, ORDERS) < 50
    assert [entry.seq for entry in Journal(tmp_path, OWNER, TABLE).entries(0)] == list(
        range(1, 111)
    )
    assert rows(tmp_path, ORDERS) == [order("A")]


@pytest.mark.slow
def test_a_journal_that_is_the_components_own_table_stays_small_too(tmp_path: Path) -> None:
    expiring(tmp_path, FEATURES)
    own, days = OwnTable(tmp_path, "shelf-daily-features", FEATURES), range(110)
    for number in days:
        own.commit(features(date(2026, 3, 2) + number * DAY), "", {})
    assert log(tmp_path, FEATURES) < 50
    assert len(rows(tmp_path, FEATURES)) == len(days)


def test_a_due_time_without_rows_is_not_asked_again(tmp_path: Path) -> None:
    tables.ensure(tmp_path, CATALOG.tables[FEATURES])
    nothing = replace(
        features(date(2026, 3, 2)), table=features(date(2026, 3, 2)).table.slice(0, 0)
    )
    opened(tmp_path, "shelf-daily-features", FEATURES).commit(nothing, "", {})
    again = opened(tmp_path, "shelf-daily-features", FEATURES)
    assert again.last is not None
    assert again.last.decision.event_time == nothing.event_time
    assert rows(tmp_path, FEATURES) == []


def test_a_lake_without_the_journal_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(LakeError, match="lakeshelf bootstrap"):
        opened(tmp_path, OWNER, TABLE)
