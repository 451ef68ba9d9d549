"""Live numbers are those of the tables and topics, cost nothing while nothing changes, and end with Ctrl-C."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import select
import shutil
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pytest
from confluent_kafka.admin import AdminClient
from deltalake import DeltaTable

from lakeshelf.cli.platform.observing import watch
from lakeshelf.contracts import CATALOG
from lakeshelf.contracts import arrow as arrow_contract
from lakeshelf.kafka import consuming
from lakeshelf.kafka.consuming import available
from lakeshelf.lake.form.commits import Txn, Write
from lakeshelf.lake.rows import tables
from lakeshelf.lake.upkeep.maintenance import maintain
from lakeshelf.lake.write import writing
from lakeshelf.settings import Settings, load_settings
from lakeshelf.stack.embedded.broker import Broker
from lakeshelf.stack.observing import live
from lakeshelf.stack.observing.live import Held, Numbers
from lakeshelf.streams.commit.publisher import Publisher
from lakeshelf.streams.run import clock
from tests.lake.upkeep.test_maintenance import NO_RETENTION
from tests.support import eventually, make_topics

NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)
PLACE = {"store_id": "S1", "shelf_id": "S1-I1", "item_id": "I1", "batch_code": "L1"}
LIFE = {"created_at": NOW, "updated_at": NOW, "version": 1}


def write(root: Path, name: str, *rows: dict[str, Any]) -> None:
    schema = arrow_contract.schema(CATALOG.tables[name].columns)
    found = pa.Table.from_pylist([{**PLACE, **LIFE, **row} for row in rows], schema=schema)
    handle = tables.open_table(root, name)
    writing.append(handle, name, found, Write.once(Txn("test", handle.version() + 1)))


def lost(number: int, day: date, quantity: int) -> dict[str, Any]:
    return {"event_id": f"l{number}", "event_time": NOW, "event_date": day, "quantity": quantity}


def tick(version: int, now: datetime) -> str:
    told = {"now": now.isoformat(), "today": str(now.date()), "kind": "scaled", "speed": 60.0}
    told |= {"seq": version, "phase": None, "version": version, "updated_at": NOW.isoformat()}
    return orjson.dumps(told).decode()


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A broker with all topics, all of them empty at first."""
    made = Broker(load_settings(lake_root=tmp_path_factory.mktemp("watch") / "lake"))
    made.start(die_with_parent=True)
    made.wait_healthy()
    make_topics({"bootstrap.servers": made.bootstrap_servers, "log_level": "0"})
    yield made
    made.kill()


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A look waits for its answers, however busy the machine is."""
    monkeypatch.setattr(live, "ANSWER_S", 60.0)


@pytest.fixture
def settings(lake: Path, broker: Broker) -> Settings:
    """A lake with empty tables, and a Kafka."""
    tables.ensure_all(lake)
    return load_settings(bootstrap_servers=broker.bootstrap_servers)


def send(broker: Broker, topic: str, *values: bytes) -> None:
    publisher = Publisher({"bootstrap.servers": broker.bootstrap_servers, "log_level": "0"})
    publisher.records(topic, [b"now"] * len(values), list(values))
    publisher.flush()


def send_ticks(broker: Broker, *ticks: str) -> None:
    publisher = Publisher({"bootstrap.servers": broker.bootstrap_servers, "log_level": "0"})
    publisher.encoded(CATALOG.topics["clock"], [("clock", told) for told in ticks])
    publisher.flush()


@pytest.fixture
def bare(lake: Path) -> Settings:
    """A lake with empty tables where nothing runs."""
    tables.ensure_all(lake)
    return load_settings()


def test_where_nothing_runs_and_nothing_is_it_says_so_and_writes_nothing(lakeshelf, lake):
    result = lakeshelf("watch", "--json")
    told = json.loads(result.out)
    assert result.code == 1
    assert told["state"] == "down"
    assert told["events_per_second"] is None
    assert told["stock"] == {"shelves": None, "back_rooms": None, "in_transit": None}
    assert any("lakeshelf up" in line for line in told["problems"])
    assert any("lakeshelf bootstrap" in line for line in told["problems"])
    text = lakeshelf("watch", "--once")
    assert text.code == 1
    assert "down" in text.out
    assert "lakeshelf up" in text.out
    assert not lake.exists()


@pytest.mark.slow
def test_empty_tables_have_zeros(bare: Settings):
    told = Numbers(bare).look()
    assert told["stock"] == {"shelves": 0, "back_rooms": 0, "in_transit": 0}
    assert set(told["alerts"].values()) == {0}
    assert told["plans"]["refill"] == {"pending": 0, "issued": 0}
    assert told["orders"] == {"orders": 0, "units": 0}
    assert told["lost_sales"] == {"today": None, "total": 0}
    assert told["quarantine"] == 0
    assert {t["table"] for t in told["tables"]} == set(CATALOG.tables)
    assert all(0 <= t["age_s"] < 600 for t in told["tables"])
    assert told["problems"] == [live.DOWN]


@pytest.mark.slow
def test_the_numbers_are_those_of_the_tables(lakeshelf, bare: Settings):
    lake = bare.lake_root
    write(
        lake,
        "cleansed/shelf_state",
        {"balance": 3, "current_stock": 3},
        {"shelf_id": "S1-I2", "balance": -1, "current_stock": 0},
    )
    write(lake, "cleansed/wh_state", {"balance": 40, "wh_current_stock": 40})
    write(lake, "staging/shelf_transit", {"sent": 9, "arrived": 4})
    alert = {"location": "store", "event_type": "refill_request", "status": "open"}
    write(
        lake,
        "ops/alerts",
        {**alert, "alert_id": "a1"},
        {**alert, "alert_id": "a2", "status": "ack"},
        {**alert, "alert_id": "a3", "status": "resolved"},
        {**alert, "alert_id": "a4", "event_type": "near_expiry"},
    )
    plan = {"suggested_qty": 5, "issued_qty": 0, "held": False}
    for number, status in enumerate(("pending", "issued", "issued", "canceled")):
        write(lake, "ops/shelf_restock_plan", {**plan, "plan_id": f"p{number}", "status": status})
    order = {"supplier_plan_id": "sp", "total_qty": 20, "status": "issued"}
    write(
        lake,
        "ops/wh_supplier_orders",
        {**order, "order_id": "o1"},
        {**order, "order_id": "o2", "status": "delivered"},
    )
    refused = {"topic": "shelf_events", "partition": 0, "reason": "not_json", "detail": "x"}
    write(lake, "raw/quarantine", {**refused, "offset": 1}, {**refused, "offset": 2})
    told = json.loads(lakeshelf("watch", "--json").out)
    assert told["stock"] == {"shelves": 3, "back_rooms": 40, "in_transit": 5}
    assert told["low_shelves"] == 2
    assert told["alerts"]["refill_request"] == 2
    assert told["alerts"]["near_expiry"] == 1
    assert told["plans"]["refill"] == {"pending": 1, "issued": 2}
    assert told["orders"] == {"orders": 1, "units": 20}
    assert told["quarantine"] == 2
    out = lakeshelf("watch", "--once").out
    assert "2 refill_request" in out
    assert "1 order, 20 units" in out


@pytest.mark.slow
def test_a_table_is_read_again_only_when_it_has_a_new_version(
    bare: Settings, monkeypatch: pytest.MonkeyPatch
):
    reads: list[str] = []

    def counted(name: str, figure: Callable[[Any], Any]) -> Callable[[Any], Any]:
        return lambda handle: [reads.append(name), figure(handle)][1]

    figures = {name: counted(name, figure) for name, figure in live.FIGURES.items()}
    monkeypatch.setattr(live, "FIGURES", figures)
    numbers = Numbers(bare)
    numbers.look()
    assert sorted(reads) == sorted(figures)
    reads.clear()
    assert numbers.look()["stock"]["shelves"] == 0
    assert reads == []
    write(bare.lake_root, "cleansed/shelf_state", {"balance": 3, "current_stock": 3})
    assert numbers.look()["stock"]["shelves"] == 3
    assert reads == ["cleansed/shelf_state"]


@pytest.mark.slow
def test_a_file_of_lost_sales_is_read_once(bare: Settings, monkeypatch: pytest.MonkeyPatch):
    read: list[str] = []
    units = live.LostSales._units
    monkeypatch.setattr(
        live.LostSales, "_units", lambda self, path: [read.append(path), units(self, path)][1]
    )
    numbers = Numbers(bare)
    for number in range(3):
        write(bare.lake_root, live.LOST, lost(number, NOW.date(), 2))
        assert numbers.look()["lost_sales"]["total"] == 2 * (number + 1)
    assert len(read) == 3


@pytest.mark.slow
def test_a_table_that_a_rebuild_made_anew_is_opened_again(bare: Settings):
    write(bare.lake_root, "cleansed/wh_state", {"balance": 4, "wh_current_stock": 4})
    numbers = Numbers(bare)
    assert numbers.look()["stock"]["back_rooms"] == 4
    shutil.rmtree(bare.lake_root / "cleansed/wh_state")
    told = numbers.look()
    assert told["stock"]["back_rooms"] is None
    assert any("cleansed/wh_state" in line for line in told["problems"])
    tables.ensure(bare.lake_root, CATALOG.tables["cleansed/wh_state"])
    assert numbers.look()["stock"]["back_rooms"] == 0


@pytest.fixture
def held(bare: Settings) -> tuple[Held, list[int]]:
    """A table, and the versions that were read of it."""
    reads: list[int] = []

    def figure(handle: DeltaTable) -> int:
        reads.append(handle.version())
        return sum(handle.to_pyarrow_table()["balance"].to_pylist())

    return Held(bare.lake_root, "cleansed/wh_state", figure), reads


@pytest.mark.slow
def test_a_table_that_a_rebuild_has_brought_to_the_same_version_is_read_again(held, lake: Path):
    table, reads = held
    for balance in (4, 5):
        shutil.rmtree(lake / "cleansed/wh_state")
        tables.ensure(lake, CATALOG.tables["cleansed/wh_state"])
        write(lake, "cleansed/wh_state", {"balance": balance, "wh_current_stock": balance})
        table.look()
        assert (table.value, table.problem) == (balance, "")
    assert reads[0] == reads[1]


@pytest.mark.slow
def test_a_table_whose_log_was_shortened_is_read_once(held, lake: Path):
    table, reads = held
    table.look()
    handle = tables.open_table(lake, "cleansed/wh_state")
    handle.alter.set_table_properties(NO_RETENTION)
    write(lake, "cleansed/wh_state", {"balance": 4, "wh_current_stock": 4})
    handle.update_incremental()
    for number in range(45):
        writing.note(handle, "cleansed/wh_state", Write.once(Txn("app", number)))
    maintain(handle)
    assert not (lake / "cleansed/wh_state/_delta_log" / f"{reads[0]:020}.json").exists()
    for _ in range(2):
        table.look()
        assert (table.value, table.problem) == (4, "")
    assert reads == [reads[0], handle.version()]


@pytest.mark.slow
@pytest.mark.usefixtures("patient")
def test_the_rate_is_that_of_the_raw_topics_between_two_looks(settings, broker: Broker):
    seconds = 10.0
    with closing(Numbers(settings, seconds=lambda: seconds)) as numbers:
        first = numbers.look()
        assert first["events_per_second"] is None
        send(broker, "shelf_events", *[b"{}"] * 50)
        send(broker, "alerts", *[b"{}"] * 1000)
        seconds += 4.0
        second = numbers.look()
        assert second["events"] == first["events"] + 50
        assert second["events_per_second"] == 12.5
        seconds += 1.0
        assert numbers.look()["events_per_second"] == 0.0
        admin = AdminClient({"bootstrap.servers": broker.bootstrap_servers, "log_level": 0})
        admin.delete_topics(["shelf_events"])["shelf_events"].result()
        eventually(
            lambda: "shelf_events" not in admin.list_topics(timeout=60).topics, "the topic is gone"
        )
        assert numbers.look()["events_per_second"] is None
    make_topics({"bootstrap.servers": broker.bootstrap_servers, "log_level": "0"})


@pytest.mark.slow
@pytest.mark.usefixtures("patient")
def test_business_time_is_the_latest_tick_and_lost_sales_are_those_of_its_day(
    settings, broker: Broker, monkeypatch: pytest.MonkeyPatch
):
    write(
        settings.lake_root,
        live.LOST,
        lost(1, date(2026, 2, 28), 5),
        lost(2, date(2026, 3, 1), 2),
        lost(3, date(2026, 3, 1), 1),
    )
    read: list[Any] = []

    def counted(consumer: Any, seconds: float) -> list[Any]:
        found = available(consumer, seconds)
        read.extend(message for message in found if not consuming.is_end(message))
        return found

    monkeypatch.setattr(consuming, "available", counted)
    ticks = [tick(n, NOW.replace(hour=n % 24)) for n in range(1, 100)]
    send_ticks(broker, *ticks)
    send(broker, "clock", b"no tick")
    with closing(Numbers(settings)) as numbers:
        told = numbers.look()
        assert told["clock"]["now"] == NOW.replace(hour=99 % 24)
        assert (told["clock"]["kind"], told["clock"]["speed"]) == ("scaled", 60.0)
        assert told["lost_sales"] == {"today": 3, "total": 8}
        assert len(read) == clock.WINDOW
        assert numbers.look()["clock"] == told["clock"]
        assert len(read) == clock.WINDOW


@pytest.mark.slow
def test_a_kafka_that_does_not_answer_is_a_problem_until_it_does(settings, broker: Broker):
    with closing(Numbers(settings)) as numbers:
        before = numbers.look()["events"]
        broker.kill()
        told = numbers.look()
        assert told["events"] is None
        assert any("transport failure" in line for line in told["problems"])
        broker.start(die_with_parent=True)
        broker.wait_healthy()
        eventually(lambda: numbers.look()["events"] == before, "Kafka answers again")
        assert numbers.look()["problems"] == [live.DOWN]


@pytest.mark.slow
@pytest.mark.usefixtures("patient")
def test_one_snapshot_has_a_rate_where_kafka_answers(settings):
    assert live.collect(settings, pause=0.01)["events_per_second"] == 0.0


@pytest.mark.slow
def test_it_follows_the_tables_until_ctrl_c_and_ends_with_success(bare: Settings):
    terminal, end = pty.openpty()
    fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", 60, 160, 0, 0))
    shown = bytearray()

    def shows(text: str) -> bool:
        while select.select([terminal], [], [], 0)[0]:
            shown.extend(os.read(terminal, 65536))
        return text in shown.decode(errors="replace")

    command = [str(Path(sys.executable).with_name("lakeshelf")), "watch"]
    with subprocess.Popen(command, stdin=end, stdout=end, stderr=subprocess.PIPE) as process:
        try:
            eventually(lambda: shows("units on shelves"), "a first look")
            write(bare.lake_root, "cleansed/shelf_state", {"balance": 4711, "current_stock": 4711})
            eventually(lambda: shows("4,711"), "a look at what has changed")
            process.send_signal(signal.SIGINT)
            # Nobody ends who writes to a terminal that is full.
            eventually(lambda: shows("") and process.poll() is not None, "its end")
        finally:
            process.kill()  # else a condition that is not met would be waited for until the test's own end
        _, said = process.communicate()
    os.close(terminal)
    os.close(end)
    assert (process.returncode, said) == (0, b"")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("seconds", "text"), [(None, "-"), (3.4, "3 s"), (90, "2 min"), (7200, "2 h"), (2e5, "2 d")]
)
def test_ages_are_short(seconds, text):
    assert watch._age(seconds) == text
