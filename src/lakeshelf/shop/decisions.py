"""SQL that the alert engines share: policies in force, lives of alerts and plans (docs/design/retail.md#alerts).

What people ask of them is in `lakeshelf.shop.commands`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lakeshelf.contracts import CATALOG, Field
from lakeshelf.contracts.lives import OPEN_ALERT
from lakeshelf.contracts.retail.topics_reference import limits
from lakeshelf.shop.commands import ACKNOWLEDGES, ENDS, asked
from lakeshelf.streams.declare.job import Objection
from lakeshelf.streams.declare.sql import derived_id

GLOBAL = "__GLOBAL__"
ALERT_ID = """concat_ws(':', k.event_type, k.location, k.shelf_id, k.batch_code,
                    CAST(unix_millis(t.now) AS STRING))"""
PLAN_ID = """concat_ws(':', '{0}', demand.shelf_id, CAST(unix_millis(t.now) AS STRING),
                    CAST(coalesce(i.plans, 0) AS STRING))"""


def policy_in_force(topic: str, *names: str) -> str:
    """Expressions of each field of the policy in force: the shelf's own, else the global one, else the default.

    Args:
        topic: `shelf_policies` or `wh_policies`.
        names: Fields; none: all.
    """
    return ", ".join(
        f"coalesce(own_policy.{f.name}, global_policy.{f.name}, {_default(f)}) AS {f.name}"
        for f in limits(CATALOG.topics[topic])
        if not names or f.name in names
    )


def _default(field: Field) -> str:
    return f"CAST(NULL AS {field.type})" if field.default is None else repr(field.default)


def policy_joins(table: str, shelf: str) -> str:
    """Joins of `own_policy` and `global_policy`, for `policy_in_force`; a deactivated or deleted one is none.

    Args:
        table: Relation of the latest policies.
        shelf: Column of the shelf.
    """
    alive = "active AND NOT deleted"
    return f"""
        LEFT JOIN (SELECT * FROM {{{table}}} WHERE {alive}) AS own_policy ON own_policy.shelf_id = {shelf}
        LEFT JOIN (SELECT * FROM {{{table}}} WHERE {alive} AND shelf_id = '{GLOBAL}') AS global_policy ON true"""


def unknown_shelves(topic: str) -> Objection:
    """Policies of shelves that have no profile; they are kept and take effect when it comes.

    Args:
        topic: `shelf_policies` or `wh_policies`.
    """
    return Objection(
        topic=topic,
        reason="unknown_shelf",
        informed=True,
        sql=f"""
            SELECT p.kafka_partition, p.kafka_offset, concat('shelf ', p.shelf_id, ' has no profile') AS detail
            FROM {{{topic}}} AS p LEFT ANTI JOIN {{curated_shelf_profiles}} AS k ON k.shelf_id = p.shelf_id
            WHERE p.shelf_id <> '{GLOBAL}' AND NOT p.deleted""",
    )


def concerned(alerts: str, plans: Mapping[str, str], policies: str) -> str:
    """Parts of a union: shelves that time, a general policy or a command touches.

    Args:
        alerts: Relation of the engine's alerts.
        plans: Its relation of plans → the plan's id.
        policies: Relation of its latest policies.
    """
    kept = {alerts: "alert_id", **plans}
    waiting = " UNION ALL ".join(
        f"SELECT shelf_id FROM {{{name}}} CROSS JOIN {{business_time}} AS t WHERE t.fresh OR (held AND t.ticked)"
        f" UNION ALL SELECT a.shelf_id FROM {{{name}}} AS a LEFT SEMI JOIN {{commands}} AS c ON c.target_id = a.{key}"
        for name, key in kept.items()
    )
    return f"""
        SELECT shelf_id FROM {{curated_shelf_profiles}} CROSS JOIN {{business_time}} AS t
        WHERE t.fresh OR t.rolled OR '{GLOBAL}' IN (SELECT shelf_id FROM {{touched_{policies}}})
        UNION ALL {waiting}"""


ALERT_KEY = ("event_type", "location", "shelf_id", "batch_code")
FIGURES = ("current_stock", "max_stock", "min_qty", "threshold_pct", "stock_pct", "suggested_qty")


def alerts(scope: str, before: str, commands: str) -> str:
    """Query that gives the alerts of the touched shelves as they are now.

    Args:
        scope: Relation of the shelves that the batch touched.
        before: Common table expression `conditions`: one row for each type, shelf and lot (`batch_code` is
            null without one) with `store_id`, `expiry_date`, the figures, and `holds`, whether the alert's
            condition is true.
        commands: Relation of what was asked of the engine.
    """
    same = " AND ".join(f"a.{name} <=> k.{name}" for name in ALERT_KEY)
    figures = ", ".join(
        f"CASE WHEN is_open AND holds THEN new_{name} ELSE {name} END AS {name}" for name in FIGURES
    )
    latest = ", ".join(f"k.{name} AS new_{name}" for name in FIGURES)
    return f"""
        WITH {before}, {asked(commands)},
        kept AS (
            SELECT a.*, a.status IN {OPEN_ALERT} AS is_open, coalesce(k.holds, false) AS holds, {latest},
                coalesce(c.strength, 0) AS strength, c.actor AS asked_by, t.now, t.ticked
            FROM {{current}} AS a LEFT SEMI JOIN {{{scope}}} AS s ON s.shelf_id = a.shelf_id
            LEFT JOIN conditions AS k ON {same}
            LEFT JOIN asked AS c ON c.target_id = a.alert_id AND c.met_version = a.version
            CROSS JOIN {{business_time}} AS t
            WHERE a.status IN {OPEN_ALERT} OR a.held),
        after AS (
            SELECT alert_id, event_type, store_id, shelf_id, batch_code, expiry_date, location,
                CASE WHEN NOT is_open THEN status WHEN strength = {ENDS} THEN 'dismissed'
                    WHEN NOT holds THEN 'resolved' WHEN strength = {ACKNOWLEDGES} THEN 'ack' ELSE status END AS status,
                {figures},
                CASE WHEN is_open AND strength > 0 THEN asked_by ELSE actor END AS actor, created_at,
                version + 1 AS version,
                CASE WHEN is_open THEN strength = {ENDS} ELSE held AND NOT (ticked AND NOT holds) END AS held,
                now AS decided_at
            FROM kept),
        opened AS (
            SELECT {derived_id(ALERT_ID)} AS alert_id, k.*, t.now
            FROM conditions AS k CROSS JOIN {{business_time}} AS t
            LEFT ANTI JOIN (SELECT * FROM after WHERE held OR status IN {OPEN_ALERT}) AS a ON {same}
            WHERE k.holds)
        SELECT * FROM after LEFT ANTI JOIN opened USING (alert_id)
        UNION ALL
        SELECT o.alert_id, o.event_type, o.store_id, o.shelf_id, o.batch_code, o.expiry_date, o.location,
            CASE c.strength WHEN {ENDS} THEN 'dismissed' WHEN {ACKNOWLEDGES} THEN 'ack' ELSE 'open' END,
            {", ".join(f"o.{name}" for name in FIGURES)}, c.actor, o.now,
            coalesce(b.version, 0) + 1, coalesce(c.strength = {ENDS}, false), o.now
        FROM opened AS o LEFT JOIN {{current}} AS b ON b.alert_id = o.alert_id
        LEFT JOIN asked AS c ON c.target_id = o.alert_id AND c.met_version = coalesce(b.version, 0)"""


def alert_events() -> str:
    """Query over `{changed}` that gives the events of an engine's alerts."""
    expressions = {
        "event_id": derived_id("concat(alert_id, ':', CAST(version AS STRING))"),
        "event_time": "decided_at",
        "schema_version": "1",
    }
    names = (f.name for f in CATALOG.topics["alerts"].fields)
    return f"SELECT {', '.join(f'{expressions.get(n, n)} AS {n}' for n in names)} FROM {{changed}}"


def plans(
    scope: str,
    before: str,
    commands: str,
    kind: str,
    key: str,
    own: Mapping[str, tuple[str, str]],
    following: Sequence[str] = (),
) -> str:
    """Query that gives the plans of the touched shelves as they are now.

    Args:
        scope: Relation of the shelves that the batch touched, with `store_id` and `wanted`, the units that
            a plan should ask for.
        before: Common table expression `progress`: the plan's id and `reached`: `issued`, `completed` or null.
        commands: Relation of what was asked of the engine.
        kind: First part of the ids of new plans.
        key: Name of the plan's id.
        own: Column of this kind of plan → its expression in a plan that there is, of `plan`, `demand` (its row
            of the scope) and `progress`, and in a new one, of `demand`.
        following: Columns that follow the demand together with the quantity; they have the same names there.
    """
    present = "".join(f", {old} AS own_{name}" for name, (old, _) in own.items()) + "".join(
        f", demand.{name} AS new_{name}" for name in following
    )
    follows = f"is_pending AND strength < {ENDS} AND wanted > 0"
    kept = "".join(f", own_{name} AS {name}" for name in own) + "".join(
        f", CASE WHEN {follows} THEN new_{name} ELSE {name} END AS {name}" for name in following
    )
    fresh = "".join(f", {new} AS {name}" for name, (_, new) in own.items()) + "".join(
        f", demand.{name}" for name in following
    )
    added = "".join(f", o.{name}" for name in (*own, *following))
    return f"""
        WITH {before}, {asked(commands)},
        mine AS (
            SELECT plan.*, plan.status = 'pending' AND progress.reached IS NULL AS is_pending, progress.reached,
                coalesce(demand.wanted, 0) AS wanted, coalesce(c.strength, 0) AS strength,
                c.actor AS asked_by, t.ticked{present}
            FROM {{current}} AS plan JOIN {{{scope}}} AS demand ON demand.shelf_id = plan.shelf_id
            LEFT JOIN progress ON progress.{key} = plan.{key}
            LEFT JOIN asked AS c ON c.target_id = plan.{key} AND c.met_version = plan.version
            CROSS JOIN {{business_time}} AS t),
        after AS (
            SELECT {key}, store_id, shelf_id,
                CASE WHEN {follows} THEN wanted ELSE suggested_qty END AS suggested_qty{kept},
                CASE WHEN reached IS NOT NULL THEN reached
                    WHEN is_pending AND (strength = {ENDS} OR wanted <= 0) THEN 'canceled' ELSE status END AS status,
                CASE WHEN is_pending AND strength = {ENDS} THEN asked_by ELSE actor END AS actor, created_at,
                version + 1 AS version,
                CASE WHEN is_pending THEN strength = {ENDS} ELSE held AND NOT (ticked AND wanted <= 0) END AS held
            FROM mine),
        issued AS (
            SELECT shelf_id, count(*) AS plans FROM after WHERE status IN ('issued', 'completed') GROUP BY shelf_id),
        opened AS (
            SELECT {derived_id(PLAN_ID.format(kind))} AS {key}, demand.store_id, demand.shelf_id,
                demand.wanted AS suggested_qty{fresh}, t.now AS created_at
            FROM {{{scope}}} AS demand LEFT JOIN issued AS i ON i.shelf_id = demand.shelf_id
            CROSS JOIN {{business_time}} AS t
            LEFT ANTI JOIN (SELECT * FROM after WHERE held OR status = 'pending') AS a ON a.shelf_id = demand.shelf_id
            WHERE demand.wanted > 0)
        SELECT * FROM after LEFT ANTI JOIN opened USING ({key})
        UNION ALL
        SELECT o.{key}, o.store_id, o.shelf_id, o.suggested_qty{added},
            CASE c.strength WHEN {ENDS} THEN 'canceled' ELSE 'pending' END, c.actor, o.created_at,
            coalesce(b.version, 0) + 1, coalesce(c.strength = {ENDS}, false)
        FROM opened AS o LEFT JOIN {{current}} AS b ON b.{key} = o.{key}
        LEFT JOIN asked AS c ON c.target_id = o.{key} AND c.met_version = coalesce(b.version, 0)"""
