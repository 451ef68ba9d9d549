"""Views for analysts: what they would else join in every statement."""

from __future__ import annotations

from dataclasses import replace

from lakeshelf.contracts.model import View
from lakeshelf.contracts.retail.tables_curated import PROFILES
from lakeshelf.contracts.retail.tables_raw import ORIGIN
from lakeshelf.contracts.retail.topics_events import POS_TRANSACTIONS, RECEIPT_LINE

_LINE = {field.name: field for field in RECEIPT_LINE}
_PROFILE = {
    name: replace(PROFILES.column(name), required=False)
    for name in ("name", "category", "subcategory")
}
_HEAD = ("transaction_id", "event_time", "event_date", "store_id", "customer_id")
_OF_LINE = ("line", "shelf_id", "item_id")
_SOLD = ("batch_code", "expiry_date", "quantity", "unit_price", "discount", "total_price")
_RECEIPT = {field.name: field for field in (*POS_TRANSACTIONS.fields, *ORIGIN)}

SALES_LINES = View(
    name="curated/sales_lines",
    doc=(
        "Lines of receipts with the names of what was sold, one row a line. Names are those that the profile of the "
        "shelf has now; a shelf without one has none."
    ),
    columns=(
        *(_RECEIPT[name] for name in _HEAD),
        *(_LINE[name] for name in _OF_LINE),
        *_PROFILE.values(),
        *(_LINE[name] for name in _SOLD),
    ),
    sql="""
        SELECT t.transaction_id, t.event_time, t.event_date, t.store_id, t.customer_id,
            l.line, l.shelf_id, l.item_id, p.name, p.category, p.subcategory,
            l.batch_code, l.expiry_date, l.quantity, l.unit_price, l.discount, l.total_price
        FROM (SELECT *, unnest(items) AS l FROM {raw/pos_transactions}) AS t
        LEFT JOIN {curated/shelf_profiles} AS p ON p.shelf_id = l.shelf_id""",
)

VIEWS = (SALES_LINES,)
