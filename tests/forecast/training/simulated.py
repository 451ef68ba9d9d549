"""What simulated stores teach, without a lake and whatever their stock: receipts of what their customers want."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import pyarrow as pa

from lakeshelf.forecast.demand.chosen import every, sampled
from lakeshelf.forecast.demand.labels import labels
from lakeshelf.forecast.demand.rows import ForecastInputs, features
from lakeshelf.forecast.frames import DEMAND, WEIGHT
from lakeshelf.forecast.model.naive import with_naive
from lakeshelf.forecast.training.lessons import Lesson, after_warm_up
from lakeshelf.simulation.stores import Store, stores
from lakeshelf.simulation.visits import visits, wants
from tests.forecast.demand.worlds import BEGIN, Row, chosen, day, known, sold


def evenly(shelves: Sequence[str], age: int) -> pa.Table:
    """Features of shelves of which the first sold two units on each day since the shop opened, the others weekly."""
    often = dict.fromkeys(shelves, 7) | {shelves[0]: 1}
    demand = [sold(shelf, n, 2) for shelf in shelves for n in range(0, age, often[shelf])]
    seen = [
        {"store_id": store, "day": day(n), "visits": 9}
        for store in ("S1", "S2")
        for n in range(age)
    ]
    places = chosen(*((shelf, day(age), 3) for shelf in shelves))
    return pa.concat_tables(features(places, known(demand=demand, visits=seen)))


def lesson(seed: int, stores: int, shelves: int, days: int) -> Lesson:
    """What simulated stores have taught when they are so many days old."""
    world = lived(seed, stores, shelves, days)
    cutoffs = after_warm_up(BEGIN, day(days))
    picked = sampled(world.demand, cutoffs)
    rows = pa.concat_tables(features(picked, world))
    its = labels(picked, world.demand, day(days))
    rows = rows.append_column(DEMAND, its[DEMAND]).append_column(WEIGHT, its[WEIGHT])
    recent = pa.concat_tables(
        features(every(world.shelves, cutoffs.slice(len(cutoffs) - 3)), world)
    )
    return Lesson(with_naive(rows, world.demand), recent, world.demand)


def lived(seed: int, number: int, shelves: int, days: int) -> ForecastInputs:
    """Shops of some stores, as long as they have lived: what was sold, promoted and visited."""
    shops = stores(seed, number, shelves)
    seen = [
        {"store_id": shop.store_id, "day": day(n), "visits": len(visits(shop, day(n)))}
        for shop in shops
        for n in range(days)
    ]
    rows = [row for shop in shops for n in range(days) for row in _sold(shop, n)]
    rows.sort(key=lambda row: (row["shelf_id"], row["day"]))
    return known(demand=rows, visits=seen, shelves=[row for shop in shops for row in _goods(shop)])


def _sold(shop: Store, n: int) -> Iterator[Row]:
    units, lines = Counter[int](), Counter[int]()
    for visit in visits(shop, day(n)):
        for want in wants(shop, visit, {}):
            if want.returned is None:
                units[want.shelf] += want.quantity
                lines[want.shelf] += 1
    for place, its in units.items():
        shelf = shop.shelves[place]
        own = {"store_id": shop.store_id, "item_id": shelf.item_id, "lines": lines[place]}
        yield sold(shelf.shelf_id, n, its, **own)


def _goods(shop: Store) -> Iterator[Row]:
    for shelf in shop.shelves:
        yield {
            "shelf_id": shelf.shelf_id,
            "store_id": shop.store_id,
            "item_id": shelf.item_id,
            "category": shelf.product.category,
            "subcategory": shelf.product.subcategory,
            "shelf_life_days": shelf.product.life,
        }
