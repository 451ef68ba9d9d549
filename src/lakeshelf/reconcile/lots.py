# ruff: noqa: S608 - the SQL is put together from constants of this module
"""Lots of store and back room recomputed from the books: units, dates, time of the last movement.

The rule is in docs/design/retail.md#lots. Catalogue dates come from the working tables of the two jobs, which alone
keep the catalogue; all else comes from `raw`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakeshelf.contracts.layers import Staging
from lakeshelf.reconcile.books import UNALLOTTED

if TYPE_CHECKING:
    from lakeshelf.reconcile.books import Books

CATALOGUES = {
    "store_catalogue": Staging.LOT_CATALOG_STORE,
    "wh_catalogue": Staging.LOT_CATALOG_WH,
}

CATALOGUE = "SELECT batch_code, expiry_date FROM source WHERE NOT deleted"

STORE_LOTS = f"""
CREATE OR REPLACE TABLE store_lots AS
WITH movement AS (
    SELECT shelf_id, batch_code, last_lot_move AS last_event_time,
           coalesce(opening, 0) - coalesce(removed, 0) + coalesce(adjusted, 0) AS units
    FROM moved WHERE last_lot_move IS NOT NULL
    UNION ALL BY NAME
    SELECT shelf_id, batch_code, last_out AS last_event_time, wh_out AS units
    FROM wh_moved WHERE last_out IS NOT NULL
    UNION ALL BY NAME
    SELECT shelf_id, batch_code, event_time AS last_event_time, -quantity AS units
    FROM sold WHERE quantity > 0 AND batch_code IS NOT NULL
),
named AS (
    SELECT shelf_id, batch_code, sum(units)::BIGINT AS units,
           max(last_event_time) AS last_event_time
    FROM movement WHERE batch_code IS NOT NULL GROUP BY shelf_id, batch_code
),
nameless AS (
    SELECT shelf_id, coalesce(sum(units), 0)::BIGINT AS units, count(units) > 0 AS moved,
           coalesce(sum(receipts), 0)::BIGINT AS receipts, max(last_event_time) AS last_event_time
    FROM (
        SELECT shelf_id, units, last_event_time FROM movement WHERE batch_code IS NULL
        UNION ALL BY NAME
        SELECT shelf_id, quantity AS receipts, event_time AS last_event_time
        FROM sold WHERE quantity > 0 AND batch_code IS NULL
    ) GROUP BY shelf_id
),
queued AS (
    SELECT named.*, received_date, coalesce(wh_moved.expiry_date, c.expiry_date) AS expiry_date,
           greatest(units, 0) AS room
    FROM named LEFT JOIN wh_moved USING (shelf_id, batch_code)
    LEFT JOIN store_catalogue AS c USING (batch_code)
),
waiting AS (
    SELECT *, coalesce(sum(room) OVER (
        PARTITION BY shelf_id ORDER BY expiry_date NULLS LAST, received_date NULLS LAST, batch_code
        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS before
    FROM queued
),
allotted AS (
    SELECT waiting.*, least(room, greatest(coalesce(receipts, 0) - before, 0))::BIGINT AS taken
    FROM waiting LEFT JOIN nameless USING (shelf_id)
),
left_over AS (
    SELECT nameless.*, receipts - coalesce(taken, 0) AS missing FROM nameless
    LEFT JOIN (SELECT shelf_id, sum(taken)::BIGINT AS taken FROM allotted GROUP BY shelf_id)
        USING (shelf_id)
)
SELECT shelf_id, batch_code, received_date, expiry_date, units - taken AS balance, last_event_time
FROM allotted
UNION ALL
SELECT shelf_id, '{UNALLOTTED}', NULL, NULL, units - missing, last_event_time
FROM left_over WHERE moved OR missing > 0
"""

WH_LOTS = """
CREATE OR REPLACE TABLE wh_lots AS
SELECT shelf_id, batch_code, received_date, coalesce(w.expiry_date, c.expiry_date) AS expiry_date,
       (coalesce(wh_in, 0) - coalesce(wh_out, 0) - coalesce(wh_removed, 0)
           + coalesce(wh_adjusted, 0))::BIGINT AS balance,
       last_move AS last_event_time
FROM wh_moved AS w LEFT JOIN wh_catalogue AS c USING (batch_code)
"""


def allot(books: Books) -> None:
    """Make the tables `store_lots` and `wh_lots` of books that are open, unless they have them.

    Their columns: `shelf_id`, `batch_code`, `received_date`, `expiry_date`, `balance` (units),
    `last_event_time`; units of a store that no lot covers stand in the lot `__UNALLOTTED__`.

    Raises:
        LakeError: A table of catalogue dates is missing or cannot be read.
    """
    if books.has("store_lots"):
        return
    for view, name in CATALOGUES.items():
        books.load(view, name, ("batch_code", "expiry_date", "deleted"), CATALOGUE)
    books.db.execute(STORE_LOTS)
    books.db.execute(WH_LOTS)
