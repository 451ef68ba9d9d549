"""Live numbers of a lake and its stack, cheap enough to be taken every second."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import closing
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from confluent_kafka import KafkaException, TopicPartition
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from lakeshelf.contracts import CATALOG
from lakeshelf.contracts.layers import Cleansed, Ops, Raw, Staging
from lakeshelf.contracts.lives import OPEN_PLAN, AlertKind
from lakeshelf.errors import LakeError, LakeshelfError
from lakeshelf.kafka.consuming import reader
from lakeshelf.kafka.refusals import said
from lakeshelf.lake.form.actions import added
from lakeshelf.lake.place import storage
from lakeshelf.lake.place.location import Place, Root
from lakeshelf.lake.rows import reading, tables, versions
from lakeshelf.settings import Settings
from lakeshelf.stack.embedded.broker import Broker
from lakeshelf.stack.embedded.clients import listening_client
from lakeshelf.stack.observing import governed, processes
from lakeshelf.stack.observing.alerting import AlertFigure, AlertFigures
from lakeshelf.stack.supervision.parts import StreamsPart
from lakeshelf.stack.supervision.supervisor import running_stack
from lakeshelf.streams.declare.job import CLOCK
from lakeshelf.streams.run.clock import Tick, latest

Figure = Callable[[DeltaTable], Any]
ANSWER_S = 2.0
"""Longest wait for an answer of Kafka: a look that takes longer tells less."""
OTHERS_S = 5.0
"""Seconds between two looks at governed datasets and other processes, which may be far away."""
LOST = Raw.LOST_SALES
DOWN = "nothing runs; start it with `lakeshelf up`"


def collect(settings: Settings, pause: float = 1.0) -> dict[str, Any]:
    """One look, or two where Kafka answers: the rate of events needs a time between them.

    Args:
        settings: The lake, and its Kafka.
        pause: Seconds between the two.

    Returns:
        As `Numbers.look`.
    """
    with closing(Numbers(settings)) as numbers:
        look = numbers.look()
        if look["events"] is None:
            return look
        time.sleep(pause)
        return numbers.look()


class Numbers:
    """What people watch, taken again and again; a table is read only when it has a new version.

    Args:
        settings: The lake, and its Kafka.
        seconds: Clock that rates are measured with.
    """

    def __init__(self, settings: Settings, seconds: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._seconds = seconds
        self._kafka: Kafka | None = None
        self._before: tuple[int, float] | None = None
        self._of_others: list[str] = []
        self._queries: list[dict[str, Any]] = []
        self._lives = False
        self._ask_again_at = seconds()
        root = settings.lake_root
        figures: dict[str, Figure] = {
            **FIGURES,
            LOST: LostSales(root),
            Ops.ALERTS: AlertFigure(root),
        }
        self._tables = {name: Held(root, name, figures.get(name)) for name in CATALOG.tables}

    def look(self) -> dict[str, Any]:
        """The numbers now; None for what cannot be known.

        Returns:
            `at`, `lake`, `state` (`down`, or what the stack tells), `parts`, `problems` (a line each), `events`
            (records of the raw topics), `events_per_second` (since the look before), `clock` (`now`, `today`, `kind`,
            `speed`), `stock`, `low_shelves`, `alerts` (type → open ones), `oldest_alerts` (type → the open one of most
            age: `alert_id`, `created_at`), `event_to_alert_ms` (as `alerting.AlertFigures` has it), `plans` (kind →
            status → plans), `orders` (under way), `lost_sales`, `quarantine` (records), `queries` (`TOLD_OF_QUERY`, by
            the drivers that run them), `tables` (`table`, `version`, `rows`, `age_s`).
        """
        stack = running_stack(self._settings)
        events, tick, unreachable = self._ask_kafka()
        others = self._others(stack)
        for table in self._tables.values():
            table.look()
        return {
            "at": datetime.now(UTC),
            "lake": self._settings.lake,
            "state": stack.get("state") or ("running" if self._lives else "down"),
            "parts": stack.get("parts", {}),
            "problems": [
                *([] if stack or self._lives else [DOWN]),
                *unreachable,
                *others,
                *self._unreadable(),
            ],
            "events": events,
            "events_per_second": self._rate(events),
            "clock": None if tick is None else {name: tick[name] for name in TOLD_OF_TICK},
            **self._figures(None if tick is None else tick["today"]),
            "queries": self._queries,
            "tables": [table.freshness() for table in self._tables.values()],
        }

    def close(self) -> None:
        """Let go of Kafka."""
        if self._kafka is not None:
            self._kafka.close()
            self._kafka = None

    def _figures(self, today: date | None) -> dict[str, Any]:
        value = {name: table.value for name, table in self._tables.items()}
        alerts: AlertFigures | None = value[Ops.ALERTS]
        opened = None if alerts is None else alerts.open
        stock = {
            "shelves": value[Cleansed.SHELF_STATE],
            "back_rooms": value[Cleansed.WH_STATE],
            "in_transit": value[Staging.SHELF_TRANSIT],
        }
        plans = {"refill": value[Ops.SHELF_RESTOCK_PLAN], "order": value[Ops.WH_SUPPLIER_PLAN]}
        return {
            "stock": stock,
            "low_shelves": None if opened is None else opened[AlertKind.REFILL_REQUEST],
            "alerts": opened,
            "oldest_alerts": None if alerts is None else alerts.oldest,
            "event_to_alert_ms": None if alerts is None else alerts.delay_ms,
            "plans": plans,
            "orders": value[Ops.WH_SUPPLIER_ORDERS],
            "lost_sales": _lost(value[LOST], today),
            "quarantine": value[Raw.QUARANTINE],
        }

    def _rate(self, events: int | None) -> float | None:
        before, now = self._before, self._seconds()
        self._before = None if events is None else (events, now)
        if events is None or before is None or events < before[0] or now <= before[1]:
            return None
        return round((events - before[0]) / (now - before[1]), 1)

    def _ask_kafka(self) -> tuple[int | None, Tick | None, list[str]]:
        if self._settings.bootstrap_servers is None and not Broker(self._settings).is_running():
            self.close()
            return None, None, []
        try:
            self._kafka = self._kafka or Kafka(listening_client(self._settings))
            return self._kafka.records(), self._kafka.tick(), []
        except (LakeshelfError, KafkaException) as error:
            self.close()
            return None, None, [said(error)]

    def _others(self, stack: Mapping[str, Any]) -> list[str]:
        """What is wrong with processes and governed datasets; they are asked now and then."""
        now = self._seconds()
        if now >= self._ask_again_at:
            self._ask_again_at = now + OTHERS_S
            asked = processes.all_heard(self._settings)
            self._lives = any(one.status for one in asked.values())
            silent = processes.unanswered(asked.values(), stack.get("parts", {}))
            by_driver = processes.of_queries(self._settings, asked[StreamsPart.name])
            self._queries = [{name: one.get(name) for name in TOLD_OF_QUERY} for one in by_driver]
            self._of_others = [*silent, *governed.problems(self._settings)]
        return self._of_others

    def _unreadable(self) -> list[str]:
        lines = [table.problem for table in self._tables.values() if table.problem]
        more = f" (and {len(lines) - 1} more like it)" if len(lines) > 1 else ""
        return [lines[0] + more] if lines else []


TOLD_OF_TICK = ("now", "today", "kind", "speed")
TOLD_OF_QUERY = ("query", "state", "batch_id", "duration_ms", "lag", "lag_s", "restarts", "error")


class Kafka:
    """Ends of topics and the latest tick, over one connection.

    Args:
        client: librdkafka settings that reach the broker.
    """

    def __init__(self, client: Mapping[str, str]) -> None:
        self._consumer = reader(client, "lakeshelf-live")
        self._tick: Tick | None = None
        self._tick_end = 0

    def records(self) -> int:
        """Offsets that records of the raw topics ever took, markers of transactions included.

        Raises:
            KafkaException: The broker does not answer.
        """
        known = self._consumer.list_topics(timeout=ANSWER_S).topics
        places = [
            TopicPartition(name, number)
            for name in CATALOG.raw_topics
            if name in known
            for number in known[name].partitions
        ]
        return sum(self._ends(place)[1] for place in places)

    def tick(self) -> Tick | None:
        """The latest tick; None before the first one.

        Raises:
            KafkaException: The broker does not answer.
        """
        if CLOCK not in self._consumer.list_topics(timeout=ANSWER_S).topics:
            return None
        _, end = self._ends(TopicPartition(CLOCK, 0))
        if end != self._tick_end:
            last = latest(self._consumer, end, ANSWER_S)
            self._tick = None if last is None else last[1]
            self._tick_end = end
        return self._tick

    def close(self) -> None:
        """End the connection."""
        self._consumer.close()

    def _ends(self, place: TopicPartition) -> tuple[int, int]:
        first, end = self._consumer.get_watermark_offsets(place, timeout=ANSWER_S)
        return int(first), int(end)


class Held:
    """A Delta table between looks.

    Args:
        root: Lake root.
        name: The table.
        figure: What is to be known of its rows; called once a version.

    Attributes:
        value: What `figure` gave of the latest version; None without one, or when the table cannot be read.
        problem: Why it cannot be read; empty when it can.
    """

    def __init__(self, root: Place, name: str, figure: Figure | None) -> None:
        self.value: Any = None
        self.problem = ""
        self._root, self._name, self._figure = root, name, figure
        self._handle: DeltaTable | None = None
        self._seen: int | None = None
        self._rows: int | None = None
        self._entry: int | None = None
        self._committed_at: datetime | None = None

    def look(self) -> None:
        """Take what has changed since the last look."""
        try:
            self._look(self._latest())
        except Exception as error:  # noqa: BLE001 - one table, whatever it holds, hides no other
            self._handle, self._seen, self.value = None, None, None
            is_told = isinstance(error, LakeError | DeltaError | OSError | pa.ArrowException)
            self.problem = said(error) if is_told else f"{self._name} is not as its contract says"
        else:
            self.problem = ""

    def freshness(self) -> dict[str, Any]:
        """`table`, `version`, `rows`, and `age_s`, the seconds since its last commit; None where nobody knows."""
        version, at = self._seen, self._committed_at
        if version is None:
            return {"table": self._name, "version": None, "rows": None, "age_s": None}
        age = None if at is None else round(max(0.0, time.time() - at.timestamp()), 1)
        return {"table": self._name, "version": version, "rows": self._rows, "age_s": age}

    def _latest(self) -> DeltaTable:
        handle = self._handle
        if handle is not None and self._entry == self._written_at(handle.version()):
            handle.update_incremental()
            return handle
        # Opened for the first time; or a shortened log, which always has newer entries, lacks the one that was seen;
        # or a rebuild has made the table anew, whose versions tell nothing.
        self._seen = None
        return tables.open_table(self._root, self._name)

    def _look(self, handle: DeltaTable) -> None:
        self._handle, version = handle, handle.version()
        if version == self._seen:
            return
        self._entry = self._written_at(version)
        self._committed_at = versions.committed_at(handle)
        self.value = None if self._figure is None else self._figure(handle)
        self._rows = reading.count(handle, self._name)
        self._seen = version

    def _written_at(self, version: int) -> int | None:
        files, base = storage.filesystem(Root.at(self._root))
        entry = f"{base}/{self._name}/{storage.LOG}/{version:020}.json"
        written: int | None = files.get_file_info(entry).mtime_ns
        return written


class LostSales:
    """Units of lost sales by business day; a file is read once, however many versions name it.

    Args:
        root: Lake root.
    """

    def __init__(self, root: Place) -> None:
        self._root = Root.at(root)
        self._files: dict[str, tuple[date, int]] = {}

    def __call__(self, handle: DeltaTable) -> Counter[date]:
        """Units by day at the version of the handle."""
        adds = added(handle, flatten=True)
        columns = (adds[name].to_pylist() for name in ("path", "partition.event_date"))
        named = dict(zip(*columns, strict=True))
        known = {path: entry for path, entry in self._files.items() if path in named}
        read = {path: (day, self._units(path)) for path, day in named.items() if path not in known}
        self._files = {**known, **read}
        units: Counter[date] = Counter()
        for day, count in self._files.values():
            units[day] += count
        return units

    def _units(self, path: str) -> int:
        files, base = storage.filesystem(self._root)
        file = f"{base}/{LOST}/{unquote(path)}"
        rows = pq.read_table(file, columns=["quantity"], partitioning=None, filesystem=files)
        return pc.sum(rows["quantity"]).as_py() or 0


def _lost(units: Counter[date] | None, today: date | None) -> dict[str, Any] | None:
    if units is None:
        return None
    return {"today": None if today is None else units[today], "total": units.total()}


def _sum_of(column: str) -> Figure:
    def figure(handle: DeltaTable) -> int:
        return _sum(reading.rows(handle, handle.table_uri, [column])[column])

    return figure


def _count_of(column: str, values: tuple[str, ...]) -> Figure:
    def figure(handle: DeltaTable) -> dict[str, int]:
        return _counted(reading.rows(handle, handle.table_uri, [column])[column], values)

    return figure


def _in_transit(handle: DeltaTable) -> int:
    rows = reading.rows(handle, handle.table_uri, ["sent", "arrived"])
    return _sum(rows["sent"]) - _sum(rows["arrived"])


def _under_way(handle: DeltaTable) -> dict[str, int]:
    rows = reading.rows(handle, handle.table_uri, ["status", "total_qty"])
    kept = rows.filter(pc.equal(rows["status"], "issued"))
    return {"orders": kept.num_rows, "units": _sum(kept["total_qty"])}


def _rows(handle: DeltaTable) -> int:
    return reading.count(handle, handle.table_uri)


def _sum(values: pa.ChunkedArray) -> int:
    return int(pc.sum(values).as_py() or 0)


def _counted(values: pa.ChunkedArray, names: tuple[str, ...]) -> dict[str, int]:
    counts = {entry["values"]: entry["counts"] for entry in values.value_counts().to_pylist()}
    return {name: counts.get(name, 0) for name in names}


FIGURES: Mapping[str, Figure] = {
    Cleansed.SHELF_STATE: _sum_of("current_stock"),
    Cleansed.WH_STATE: _sum_of("wh_current_stock"),
    Staging.SHELF_TRANSIT: _in_transit,
    Ops.SHELF_RESTOCK_PLAN: _count_of("status", OPEN_PLAN),
    Ops.WH_SUPPLIER_PLAN: _count_of("status", OPEN_PLAN),
    Ops.WH_SUPPLIER_ORDERS: _under_way,
    Raw.QUARANTINE: _rows,
}
"""Table → what is told of its rows."""
