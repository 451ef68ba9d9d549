"""The books of the shop as an alert engine reads them, at one version each, and what its own rules make of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import pyarrow as pa

from lakeshelf.contracts import CATALOG
from lakeshelf.contracts import arrow as arrow_contract
from lakeshelf.contracts.layers import Staging
from lakeshelf.lake.place.location import Place
from lakeshelf.lake.rows import reading, tables
from lakeshelf.shop.naming import PROFILES
from lakeshelf.streams.declare.duck import Duck
from lakeshelf.streams.declare.job import (
    KEYS,
    RELATION,
    TIME,
    DecisionView,
    Job,
    relation,
    tables_by_relation,
)

_NEAR_EXPIRY = """
    WITH {conditions}
    SELECT shelf_id, count(*) AS near_expiry FROM conditions WHERE event_type = 'near_expiry' AND holds
    GROUP BY shelf_id"""
_WITH_LOTS = """
    SELECT j.*, coalesce(n.near_expiry, 0) AS near_expiry FROM {judged} AS j
    LEFT JOIN {near} AS n ON n.shelf_id = j.shelf_id"""


@dataclass(frozen=True)
class DecisionBooks:
    """What an engine decides from.

    Attributes:
        engine: The job.
        rows: Relation → rows.
        versions: Table → the version that was read.
    """

    engine: Job
    rows: Mapping[str, pa.Table]
    versions: Mapping[str, int]

    @classmethod
    def of(cls, root: Place, engine: Job, *, lots: bool = False) -> DecisionBooks:
        """Read them.

        Args:
            root: Lake root.
            engine: Job of one of `lakeshelf.shop.shortage.ENGINES`.
            lots: Whether lots are read, too.
        """
        view = _alerts(engine)
        assert view.scope is not None
        text = (view.scope.sql or "") + (view.conditions if lots else "")
        names = set(RELATION.findall(text)) - {KEYS, TIME, view.scope.name}
        rows: dict[str, pa.Table] = {}
        versions: dict[str, int] = {}
        for name in dict.fromkeys((relation(PROFILES), *names)):
            table = tables_by_relation()[name].name
            if table == Staging.ORDER_LEVELS and not tables.exists(root, table):
                rows[name] = arrow_contract.schema(CATALOG.tables[table].columns).empty_table()
                continue  # a lake of before
            handle = tables.open_table(root, table, to_read=True)
            tables.require_whole(handle, table)
            rows[name], versions[table] = reading.rows(handle, table), handle.version()
        return cls(engine, rows, versions)

    def judged(self, today: date | None = None, **instead: pa.Table) -> pa.Table:
        """What the engine makes of every shelf that has a profile.

        Args:
            today: The business day, for lots that expire and levels that end; None: lots do not count, and levels that
                are there hold.
            instead: Relation → rows that stand for those that were read.

        Returns:
            A row a shelf: `stock`, the fields of the policy in force, `low`, `wanted` (units that a plan asks for),
            what the engine knows beside, and `near_expiry` (lots) on a day.
        """
        view, duck = _alerts(self.engine), Duck()
        assert view.scope is not None
        assert view.scope.sql is not None
        known = {**self.rows, **instead}
        keys = known[relation(PROFILES)].select(["shelf_id"])
        day = pa.table({"today": pa.array([today or date.min], pa.date32())})
        judged = duck.query(view.scope.sql, **{**known, KEYS: keys, TIME: day})
        if today is None:
            return judged
        inputs = {**known, view.scope.name: judged, TIME: day}
        near = duck.query(_NEAR_EXPIRY.replace("{conditions}", view.conditions), **inputs)
        return duck.query(_WITH_LOTS, judged=judged, near=near)


def _alerts(engine: Job) -> DecisionView:
    """The decision of an engine about what is low and what expires."""
    views = (one for one in engine.updates if isinstance(one, DecisionView) and one.conditions)
    return next(views)
