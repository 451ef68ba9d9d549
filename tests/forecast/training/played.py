"""A simulated shop that is played day by day on a lake on disk: demand, features, forecasts, plans, orders, deliveries.

Forecasts and orders come from the components, plans from the jobs, which the rules in plain Python follow; only broker
and processes are left out. Customers take what the simulation wants, as far as it is on the shelf.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from lakeshelf.contracts import CATALOG, arrow
from lakeshelf.contracts.layers import Curated, Ops
from lakeshelf.contracts.messages import encode
from lakeshelf.contracts.validate import parse
from lakeshelf.forecast.demand.chosen import every
from lakeshelf.forecast.demand.rows import features
from lakeshelf.forecast.demand.windows import cutoffs
from lakeshelf.lake import Lake
from lakeshelf.lake.rows import tables
from lakeshelf.simulation.stores import Shelf, stores
from tests.components.bench import Outbox, Row, Worker
from tests.forecast.demand.worlds import BEGIN, day
from tests.streams import harness
from tests.streams.bench import QUARANTINE, Bench

from . import lakes, simulated

OPENED = datetime.combine(BEGIN, datetime.min.time(), UTC)
SUPPLIERS, INFERENCE, TRAINING = "wh-supplier-manager", "inference-service", "training-service"
ML, RULE = "ml", "rule"
STAMPS = ("shelf_id", "version", "updated_at")
STATE, PLAN = "cleansed/shelf_state", Ops.WH_SUPPLIER_PLAN
OWN = (QUARANTINE, Curated.PREDICTIONS, Curated.DAILY_DEMAND, Curated.FEATURES_STORE)
WRITTEN = (*OWN, Ops.MODELS, Ops.MODEL_HEALTH, Ops.WH_SUPPLIER_ORDERS, "ops/wh_supplier_receipts")
"""Tables that jobs do not make."""


class KeyedOutbox(Outbox):
    """Takes what is published, with what the key of a message alone says."""

    def encoded(self, topic: Any, messages: Iterable[tuple[str, str]]) -> None:
        self._sent += [
            (topic.name, parse(topic, value.encode(), key.encode())) for key, value in messages
        ]


class KeptLake(Lake):
    """A lake on disk, in which each table is written as by its owner."""

    known: frozenset[str] | None = None

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.noted: dict[tuple[str, str], int] = {}

    def keep(self, name: str, *rows: Mapping[str, Any]) -> None:
        """Insert rows, or replace those of the same key."""
        contract = CATALOG.tables[name]
        table = pa.Table.from_pylist(list(rows), arrow.schema(contract.columns))
        Lake(self.root, writer=contract.owner).merge(name, table)


class PlayedShop:
    """A shop.

    Args:
        root: Where its lake will be.
        seed: Chooses what its customers want.
        size: Stores, and shelves of each.
        days: How long its customers come.
        kept: How many shelves, those that sell most, have stock and are ordered for.
        services: Services of models that are at work.
    """

    def __init__(
        self,
        root: Path,
        seed: int,
        size: tuple[int, int],
        days: int,
        kept: int,
        services: tuple[str, ...] = (INFERENCE,),
    ) -> None:
        self.root = harness.make(root, harness.deciding())
        for name in WRITTEN:
            tables.ensure(root, CATALOG.tables[name])
        self.now = 0
        self._world = simulated.lived(seed, *size, days)
        self._shelves = _busiest(seed, size, self._world.demand, kept)
        self._bench = Bench(root)
        self._components = {name: _at_work(name, root) for name in (*services, SUPPLIERS)}

    @property
    def shelves(self) -> list[str]:
        """Those that are ordered for, the busiest first."""
        return list(self._shelves)

    def live(self, until: int) -> None:
        """Past days, of which receipts and features are kept and nothing else."""
        self._learn(0, until)
        self.now = until

    def open(self) -> None:
        """Fill the shelves, before the first day that is played."""
        self._bench.now = self._at(0)
        for shelf in self._shelves.values():
            self._bench.tell(
                "shelf_profiles", shelf.shelf_id, **_values("shelf_profiles", shelf.profile(OPENED))
            )
            self.let(RULE, shelf.shelf_id)
            place = {"store_id": shelf.store_id, "item_id": shelf.item_id}
            opening = {"event_type": "restock", "reason": "opening_balance", "batch_code": "L0"}
            self._bench.send(
                "shelf_events",
                shelf_id=shelf.shelf_id,
                quantity=shelf.max_stock,
                **place,
                **opening,
            )
        self._bench.tick(timedelta(0))
        self._bench.process()

    def let(self, source: str, *names: str) -> None:
        """Have a model, or the rule, order for shelves."""
        for name in names:
            policy = _values("wh_policies", self._shelves[name].policy(OPENED))
            self._bench.tell("wh_policies", name, **policy, plan_source=source)

    def switch_off(self, *services: str) -> None:
        """End services, for good."""
        for name in services:
            del self._components[name]

    def play(self, until: int) -> None:
        """Play the days before the one of a number, each to its cutoff."""
        while self.now < until:
            self._sell()
            for hour in (0, 12):
                at = self._at(hour)
                for component in self._components.values():
                    self._bench.coming += [
                        (topic, {"deleted": False, **row}) for topic, row in component.tick(at)
                    ]
                self._bench.tick(at - self._bench.now)
                self._bench.process()
            self.now += 1
            self._learn(self.now - 1, self.now)

    def plans(self, names: Collection[str], status: str | None = None) -> list[Row]:
        """Plans of shelves, of all there were or those of a status."""
        rows = tables.rows(self.root, PLAN, where=[("shelf_id", "in", list(names))]).to_pylist()
        return [row for row in rows if status in (None, row["status"])]

    def orders(self) -> list[Row]:
        """All orders that there were."""
        return tables.rows(self.root, Ops.WH_SUPPLIER_ORDERS).to_pylist()

    def _at(self, hour: int) -> datetime:
        return OPENED + timedelta(days=self.now, hours=hour)

    def _learn(self, first: int, until: int) -> None:
        """Keep the demand of days, and the features of the cutoff days up to the one that begins."""
        sold = self._world.demand
        past = pc.and_(
            pc.greater_equal(sold["day"], pa.scalar(day(first))),
            pc.less(sold["day"], pa.scalar(day(until))),
        )
        self._keep(Curated.DAILY_DEMAND, sold.filter(past), until)
        chosen = every(self._world.shelves, cutoffs(day(first + 1), day(until + 1)))
        if chosen.num_rows:
            made = pa.concat_tables(features(chosen, self._world))
            self._keep(Curated.FEATURES_STORE, lakes._with_stock(made), until)

    def _keep(self, name: str, rows: pa.Table, number: int) -> None:
        """Append rows when a day begins, as the owner of a table does."""
        owner = CATALOG.tables[name].owner
        began = OPENED + timedelta(days=number)
        Lake(self.root, writer=owner).append(name, rows, txn=(owner, int(began.timestamp())))

    def _sell(self) -> None:
        """Customers take what they wanted the day before."""
        sold = self._world.demand
        lately = sold.filter(pc.equal(sold["day"], pa.scalar(day(self.now - 1)))).to_pylist()
        stock = {key[0]: row["balance"] for key, row in harness.keyed(self.root, STATE).items()}
        for row in lately:
            name, units = row["shelf_id"], min(row["units"], stock.get(row["shelf_id"], 0))
            if units > 0:
                place = {"store_id": row["store_id"], "item_id": row["item_id"]}
                taken = {"event_type": "pickup", "quantity": units}
                self._bench.send("shelf_events", shelf_id=name, **place, **taken)


def _at_work(name: str, root: Path) -> Worker:
    """A component, which works on a lake on disk."""
    lake: Any = KeptLake(root)
    worker = Worker(name, lake)
    worker.outbox = KeyedOutbox()
    worker.restart()
    return worker


def _busiest(seed: int, size: tuple[int, int], demand: pa.Table, kept: int) -> dict[str, Shelf]:
    """Shelves by name, those that sell most first."""
    every_shelf = {shelf.shelf_id: shelf for shop in stores(seed, *size) for shelf in shop.shelves}
    sums = demand.group_by("shelf_id").aggregate([("units", "sum")])
    names = sums.sort_by([("units_sum", "descending"), ("shelf_id", "ascending")])["shelf_id"]
    return {name: every_shelf[name] for name in names.to_pylist()[:kept]}


def _values(topic: str, message: Mapping[str, Any]) -> Row:
    """What a message says beside its key and its stamps, as whoever hears it has it."""
    contract = CATALOG.topics[topic]
    typed = parse(contract, encode(contract, message))
    return {n: v for n, v in typed.items() if n not in STAMPS and v is not None}
