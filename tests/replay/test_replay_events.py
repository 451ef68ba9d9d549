"""Clean replays: all receipts, valid by the contract, the same every time, in balance."""

import json
from collections import Counter, defaultdict
from datetime import date

import duckdb
import pyarrow as pa
import pytest

from lakeshelf.contracts import CATALOG
from lakeshelf.contracts.validate import check
from lakeshelf.errors import ConfigurationError
from replay_events import Replay, events, opened, totals
from replay_faults import RECORD
from replay_plan import EVENT_TOPICS, PROMOTIONS, SHELF_PROFILES, ReplayPlan
from replay_tables import build

SMALL = ReplayPlan(baskets=300)

MOVES = """
SELECT row_number() OVER () AS seq, topic, epoch_us(event_time) AS time, value ->> 'event_type' AS
    kind,
       value ->> 'shelf_id' AS shelf, (value ->> 'quantity')::BIGINT AS quantity, value ->>
           'reason' AS reason,
       value ->> 'batch_code' AS lot
FROM (SELECT topic, event_time, decode(value)::JSON AS value FROM record WHERE topic IN
    ('shelf_events', 'wh_events'))
"""


def table(plan: ReplayPlan) -> pa.Table:
    return pa.Table.from_batches(events(plan), RECORD)


@pytest.fixture(scope="module")
def small() -> pa.Table:
    return table(SMALL)


@pytest.fixture(scope="module")
def ten_stores() -> duckdb.DuckDBPyConnection:
    db = duckdb.connect()
    with opened(ReplayPlan(profiles=False)) as replay:
        db.register("record", pa.RecordBatchReader.from_batches(RECORD, replay.records()))
        db.execute(f"CREATE TABLE move AS {MOVES}")
    return db


@pytest.mark.slow
def test_the_same_plan_gives_the_same_records(small: pa.Table) -> None:
    assert table(SMALL).equals(small)


def test_records_are_as_many_as_announced(small: pa.Table) -> None:
    assert Counter(small["topic"].to_pylist()) == totals(SMALL).topics


@pytest.mark.slow
def test_every_record_is_valid_by_the_contract(small: pa.Table) -> None:
    for topic, key, value in zip(
        *(small[name].to_pylist() for name in ("topic", "key", "value")), strict=True
    ):
        assert check(CATALOG.topics[topic], value, key) is None, value


def test_every_key_is_the_one_that_the_contract_names(small: pa.Table) -> None:
    for topic, key, value in zip(
        *(small[name].to_pylist() for name in ("topic", "key", "value")), strict=True
    ):
        if topic != SHELF_PROFILES:
            message = json.loads(value)
            assert key.decode() == "::".join(message[name] for name in CATALOG.topics[topic].key)


def test_event_ids_are_unique_and_begin_with_the_event_time(small: pa.Table) -> None:
    seen: dict[str, set[str]] = defaultdict(set)
    for topic, time, value in zip(
        *(small[name].to_pylist() for name in ("topic", "event_time", "value")), strict=True
    ):
        if topic == SHELF_PROFILES:
            continue
        identity = json.loads(value)["event_id"]
        assert identity.startswith(f"{int(time.timestamp() * 1000)}-")
        assert identity not in seen[topic]
        seen[topic].add(identity)


def test_events_come_in_the_order_of_their_time(small: pa.Table) -> None:
    times = small["event_time"].to_pylist()
    assert times == sorted(times)


def test_every_kind_of_line_is_there(small: pa.Table) -> None:
    lines = [
        line
        for topic, value in zip(small["topic"].to_pylist(), small["value"].to_pylist(), strict=True)
        if topic == "pos_transactions"
        for line in json.loads(value)["items"]
    ]
    assert 0.06 < sum("batch_code" in line for line in lines) / len(lines) < 0.19
    assert any(line["quantity"] == 0 for line in lines)
    assert any("batch_code" in line and "expiry_date" not in line for line in lines)


@pytest.mark.slow
def test_promotions_are_those_of_the_shelves_each_known_a_week_before() -> None:
    plan = ReplayPlan(stores=2, until=date(2017, 1, 3), promotions=True)
    with opened(plan) as replay:
        made = pa.Table.from_batches(replay.records(), RECORD)
        told = [
            (key.decode(), json.loads(value), value)
            for topic, key, value in zip(
                *(made[name].to_pylist() for name in ("topic", "key", "value")), strict=True
            )
            if topic == PROMOTIONS
        ]
        shelves = {key.decode() for key, topic in zip(
            made["key"].to_pylist(), made["topic"].to_pylist(), strict=True
        ) if topic == SHELF_PROFILES}  # fmt: skip
        assert replay.totals.topics[PROMOTIONS] == len(told) > 0
    contract = CATALOG.topics[PROMOTIONS]
    assert {check(contract, value, key.encode()) for key, _, value in told} == {None}
    assert len({key for key, *_ in told}) == len(told)
    assert {one["shelf_id"] for _, one, _ in told} <= shelves
    weeks = {date.fromisoformat(one["week"]) for _, one, _ in told}
    assert {week.weekday() for week in weeks} == {0}
    assert (min(weeks), max(weeks)) == (date(2016, 12, 26), date(2017, 12, 25))
    for _, one, _ in told:
        assert "display" in one or "mailer" in one
        known = date.fromisoformat(one["known_at"][:10])
        assert (date.fromisoformat(one["week"]) - known).days == 7


def test_a_smaller_plan_is_a_part_of_a_larger_one(small: pa.Table) -> None:
    larger = table(ReplayPlan(baskets=600))
    assert set(small["value"].to_pylist()) < set(larger["value"].to_pylist())


def test_days_choose_the_receipts() -> None:
    plan = ReplayPlan(stores=2, since=date(2017, 3, 1), until=date(2017, 3, 8), profiles=False)
    sold = [r for r in table(plan).to_pylist() if r["topic"] == "pos_transactions"]
    days = {record["event_time"].date() for record in sold}
    assert (min(days), max(days)) == (date(2017, 3, 1), date(2017, 3, 7))


@pytest.mark.slow
def test_ten_stores_are_a_million_events() -> None:
    found = totals(ReplayPlan())
    shelves, supplies = found.clean["shelf_profiles"], (found.clean["wh_events"] - 93_419) // 2
    assert shelves == 93_419
    assert found.clean["pos_transactions"] == 27_026
    assert found.clean["foot_traffic"] == 2 * 27_026
    assert found.clean["shelf_events"] == 266_875 - 1_629 + shelves + supplies
    assert 800_000 < found.records < 1_100_000


@pytest.mark.slow
def test_all_stores_are_the_whole_year(tmp_path) -> None:
    plan = ReplayPlan(stores=None)
    with build(plan, tmp_path) as db:
        figures = db.execute(
            "SELECT count(*), count(DISTINCT basket), count(DISTINCT store), sum(quantity)::BIGINT,"
            " count(*) FILTER (quantity = 0), sum(cents)::BIGINT FROM line"
        ).fetchone()
        found = Replay(plan, db).totals
    assert figures == (1_469_307, 155_848, 457, 152_923_108, 8_869, 459_603_958)
    assert found.clean["shelf_profiles"] == 631_479
    assert found.records < 6_500_000


@pytest.mark.slow
def test_ten_stores_sell_what_they_have_and_carry_nothing_off(
    ten_stores: duckdb.DuckDBPyConnection,
) -> None:
    row = ten_stores.execute(
        "SELECT sum(quantity) FILTER (kind = 'pickup'), sum(quantity) FILTER (kind = 'wh_out')"
        " - sum(quantity) FILTER (kind = 'restock' AND reason = 'replay'),"
        " count(DISTINCT shelf), min(quantity), max(quantity) <= 10000000 FROM move"
    ).fetchone()
    assert row == (27_783_740, 0, 93_419, 1, True)


@pytest.mark.slow
def test_no_stock_is_negative_at_any_moment(ten_stores: duckdb.DuckDBPyConnection) -> None:
    (lowest,) = ten_stores.execute(
        "SELECT min(stock) FROM (SELECT"
        " sum(CASE WHEN kind IN ('restock', 'wh_in') THEN quantity ELSE -quantity END)"
        " OVER (PARTITION BY topic, shelf ORDER BY seq) AS stock FROM move)"
    ).fetchone()
    assert lowest > 0


@pytest.mark.slow
def test_no_lot_of_a_warehouse_gives_more_than_it_has(
    ten_stores: duckdb.DuckDBPyConnection,
) -> None:
    lowest, kept = ten_stores.execute(
        "SELECT min(stock), count(*) FILTER (stock > 0)"
        " FROM (SELECT sum(CASE kind WHEN 'wh_in' THEN quantity"
        " ELSE -quantity END) AS stock FROM move WHERE topic = 'wh_events' GROUP BY shelf, lot)"
    ).fetchone()
    assert lowest == 0
    assert kept > 93_419


def test_no_lot_is_named_on_receipts_more_often_than_it_came(small: pa.Table) -> None:
    lots: Counter[str] = Counter()
    for topic, value in zip(small["topic"].to_pylist(), small["value"].to_pylist(), strict=True):
        message = json.loads(value)
        if message.get("event_type") == "restock" and "batch_code" in message:
            lots[message["batch_code"]] += message["quantity"]
        for line in message.get("items", ()) if topic == "pos_transactions" else ():
            if "batch_code" in line:
                assert line["batch_code"] in lots
                lots[line["batch_code"]] -= line["quantity"]
    assert min(lots.values()) >= 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"stores": 0}, "stores is 0"),
        ({"malformed": 1.5}, "malformed is 1.5"),
        ({"speed": -1.0}, "speed is -1.0"),
        ({"reorder_minutes": 20_000}, "reorder is 20000"),
        ({"since": date(2017, 2, 1), "until": date(2017, 1, 1)}, "until is 2017-01-01"),
    ],
)
def test_a_plan_that_cannot_be_is_refused_in_one_line(arguments: dict, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message) as error:
        ReplayPlan(**arguments)
    assert "\n" not in str(error.value)


def test_faults_never_touch_profiles() -> None:
    assert SHELF_PROFILES not in EVENT_TOPICS
