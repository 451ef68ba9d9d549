"""Seeded faults: exact in number, right in reason, and the clean events are all still there."""

from collections import Counter
from datetime import timedelta

import pyarrow as pa
import pytest

from lakeshelf.contracts import CATALOG
from lakeshelf.contracts.validate import check
from replay import _Tally
from replay_events import events, totals
from replay_faults import DUPLICATE, LATE, MALFORMED, RECORD
from replay_malformed import CASES, counts
from replay_plan import ReplayPlan
from replay_send import paced

FAULTY = ReplayPlan(
    baskets=300, seed=7, malformed=0.05, duplicates=0.05, reorder_minutes=30, late=0.01
)
CLEAN = ReplayPlan(baskets=300)


def rows(plan: ReplayPlan) -> list[dict]:
    return pa.Table.from_batches(events(plan), RECORD).to_pylist()


@pytest.fixture(scope="module")
def faulty() -> list[dict]:
    return rows(FAULTY)


@pytest.fixture(scope="module")
def clean() -> list[dict]:
    return rows(CLEAN)


def content(record: dict) -> tuple:
    return record["topic"], record["key"], record["value"]


def of_fault(records: list[dict], fault: str) -> list[dict]:
    return [record for record in records if (record["fault"] or "").startswith(fault)]


@pytest.mark.parametrize("position", range(len(CASES)))
def test_each_malformed_record_is_refused_for_its_reason(position: int) -> None:
    case = CASES[position]
    refusal = check(CATALOG.topics[case.topic], case.value(position), case.key(position))
    assert refusal is not None
    assert refusal.reason == case.reason


def test_malformed_records_are_counted_by_topic_and_reason() -> None:
    whole = counts(3 * len(CASES))
    assert sum(n for reasons in whole.values() for n in reasons.values()) == 3 * len(CASES)
    assert counts(0) == {}


@pytest.mark.slow
def test_every_clean_event_is_sent_once(faulty: list[dict], clean: list[dict]) -> None:
    sent = [r for r in faulty if r["fault"] in (None, LATE)]
    assert sorted(map(content, sent)) == sorted(map(content, clean))


def test_faults_are_as_many_as_announced(faulty: list[dict]) -> None:
    announced = totals(FAULTY)
    assert Counter(r["topic"] for r in faulty) == announced.topics
    assert Counter(r["topic"] for r in of_fault(faulty, DUPLICATE)) == announced.duplicates
    assert Counter(r["topic"] for r in of_fault(faulty, LATE)) == announced.late
    reasons = Counter(r["fault"].removeprefix(MALFORMED) for r in of_fault(faulty, MALFORMED))
    assert reasons == announced.reasons
    assert len(reasons) == 7


@pytest.mark.slow
def test_the_report_counts_what_was_sent(faulty: list[dict]) -> None:
    tally, announced = _Tally(), totals(FAULTY)
    for batch in events(FAULTY):
        tally.add(batch)
    report = tally.report(1.0)
    assert report.topics == announced.topics
    assert report.malformed == announced.reasons
    assert report.duplicates == sum(announced.duplicates.values())
    assert report.late == sum(announced.late.values())
    main = [r["event_time"] for r in faulty if r["fault"] is None]
    latest, reordered = main[0], 0
    for time in main:
        reordered += time < latest
        latest = max(latest, time)
    assert report.reordered == reordered > 0


def test_a_repeat_follows_its_record_at_every_distance(faulty: list[dict]) -> None:
    first = {}
    distances = []
    for position, record in enumerate(faulty):
        if record["fault"] == DUPLICATE:
            distances.append(position - first[content(record)])
        elif not (record["fault"] or "").startswith(MALFORMED):
            first[content(record)] = position
    assert min(distances) > 0
    assert max(distances) > len(faulty) / 3


def test_events_stay_within_the_window_unless_late(faulty: list[dict]) -> None:
    latest = None
    for record in faulty:
        if record["fault"] is None and record["topic"] != "shelf_profiles":
            latest = max(latest or record["event_time"], record["event_time"])
            assert latest - record["event_time"] <= timedelta(minutes=FAULTY.reorder_minutes)


def test_late_events_come_after_everything_in_order(faulty: list[dict]) -> None:
    last = max(i for i, r in enumerate(faulty) if r["fault"] is None)
    assert min(i for i, r in enumerate(faulty) if r["fault"] == LATE) > last


@pytest.mark.slow
def test_another_seed_has_other_faults_and_the_same_receipts(
    faulty: list[dict], clean: list[dict]
) -> None:
    other = rows(
        ReplayPlan(
            baskets=300, seed=8, malformed=0.05, duplicates=0.05, reorder_minutes=30, late=0.01
        )
    )
    assert [content(r) for r in other] != [content(r) for r in faulty]
    assert {content(r) for r in other if r["fault"] is None or r["fault"] == LATE} == set(
        map(content, clean)
    )


@pytest.mark.slow
def test_as_many_malformed_records_as_events_can_be_asked_for() -> None:
    plan = ReplayPlan(baskets=20, malformed=1.0, profiles=False)
    assert len(of_fault(rows(plan), MALFORMED)) == sum(totals(plan).clean.values())


def test_speed_spreads_the_receipts_over_time_and_not_the_opening() -> None:
    clock = [0.0]

    def wait(seconds: float) -> None:
        clock[0] += seconds

    sent = [
        (clock[0], time)
        for batch in paced(
            events(ReplayPlan(baskets=20, profiles=False)), 3600.0, lambda: clock[0], wait
        )
        for time in batch["event_time"].to_pylist()
    ]
    start = next(time for _, time in sent if time.hour)
    assert all(at == 0 for at, time in sent if time <= start)
    assert all(
        at >= (time - start).total_seconds() / 3600 - 1e-6 for at, time in sent if time > start
    )
    assert sent[-1][0] == pytest.approx((sent[-1][1] - start).total_seconds() / 3600, abs=0.03)
