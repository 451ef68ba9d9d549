"""Whether each version said one thing, and orders follow what a champion said (docs/design/retail.md#levels)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakeshelf.contracts.layers import Curated, Ops, Staging
from lakeshelf.reconcile.decisions import ONE_A

if TYPE_CHECKING:
    from lakeshelf.reconcile.books import Books
    from lakeshelf.reconcile.checks import Check

PLAN = ("supplier_plan_id", "shelf_id", "status", "source", "model_version", "level_qty")
SENT = "FROM source WHERE valid_until IS NOT NULL"
BY_MODEL = "SELECT * FROM source AS plan WHERE plan.source = 'ml'"

NAMED = """
SELECT supplier_plan_id, CASE WHEN plan.source = 'ml' THEN 2 ELSE 0 END,
    (model_version IS NOT NULL)::BIGINT + (level_qty IS NOT NULL)::BIGINT
FROM any_plan AS plan
"""
PENDING = """
SELECT supplier_plan_id, level_qty, model_version FROM plan_by_model WHERE status = 'pending'
"""
IN_FORCE = """
SELECT supplier_plan_id, told.level_qty, told.model_version
FROM plan_by_model AS plan
JOIN order_level AS told ON told.shelf_id = plan.shelf_id AND NOT told.deleted
WHERE plan.status = 'pending'
"""
CHAMPIONS = """
SELECT supplier_plan_id, 1, (model_version IN (
    SELECT model_version FROM model WHERE status IN ('champion', 'retired')
    UNION SELECT replaced FROM model WHERE replaced IS NOT NULL
    UNION SELECT model_version FROM model SEMI JOIN decided USING (model_version)
        WHERE status = 'refused'))::BIGINT
FROM plan_by_model
"""
"""One that was refused since was champion if it spoke as such."""
DECIDED = "SELECT DISTINCT model_version FROM source WHERE role = 'champion'"


def levels_of(books: Books) -> tuple[Check, ...]:
    """M2: one prediction a version, shelf and day, and one level. M3: a plan by a model follows a champion's level.

    That there is one pending plan a shelf is a check of `decisions`.

    Args:
        books: Books that are open.

    Raises:
        LakeError: A table is missing or cannot be read.
    """
    columns = ("shelf_id", "level_qty", "model_version", "deleted")
    books.load("any_plan", Ops.WH_SUPPLIER_PLAN, PLAN)
    books.load("plan_by_model", Ops.WH_SUPPLIER_PLAN, PLAN, BY_MODEL)
    books.load("order_level", Staging.ORDER_LEVELS, columns)
    said = ("model_name", "model_version", "feature_date", "shelf_id")
    books.load("said", Curated.PREDICTIONS, said)
    books.load("sent", Curated.PREDICTIONS, ("feature_date", "shelf_id", "valid_until"), SENT)
    books.load("decided", Curated.PREDICTIONS, ("model_version", "role"), DECIDED)
    books.load("model", Ops.MODELS, ("model_version", "status", "replaced"))
    return (
        books.compare(
            "M2 predictions",
            "at most one prediction a version, cutoff day and shelf",
            ONE_A.format(keys=", ".join(said), rows="said"),
        ),
        books.compare(
            "M2 levels",
            "at most one level is sent for a cutoff day and shelf",
            ONE_A.format(keys="feature_date, shelf_id", rows="sent"),
        ),
        books.compare("M3 named", "plans by a model name level and version, others none", NAMED),
        books.compare_rows(
            "M3 level",
            "a pending plan by a model follows the level of its shelf",
            ("supplier_plan_id",),
            PENDING,
            IN_FORCE,
        ),
        books.compare("M3 champion", "the version of a plan by a model was champion", CHAMPIONS),
    )
