"""SQL of what people ask of the alert engines, and of what is refused (docs/design/retail.md#commands).

A command is judged once, by its target as the decisions before its batch left it, commands in the order of their
offsets; the judgement is a row of the engine's table of commands, committed before any decision of the
batch. It holds for the version of the target that it met, so that what it asked is done once, whenever
decisions may be made.
"""

from __future__ import annotations

from lakeshelf.contracts.lives import OPEN_ALERT, PENDING_PLAN, AlertKind, PlanKind
from lakeshelf.streams.declare.job import Objection, View

ACKNOWLEDGES, ENDS = 1, 2
"""Strengths of what people ask; of two asks the stronger one counts."""

REFUSED = "refused_command"
ENGINE = "shelf-alert-engine"
"""Answers for what begins with nobody's prefix as well."""
OWNERS = {
    ENGINE: {
        f"{AlertKind.REFILL_REQUEST}:": "alert",
        f"{AlertKind.NEAR_EXPIRY}:store:": "alert",
        f"{PlanKind.RESTOCK}:": "plan",
    },
    "wh-alert-engine": {
        f"{AlertKind.SUPPLIER_REQUEST}:": "alert",
        f"{AlertKind.NEAR_EXPIRY}:warehouse:": "alert",
        f"{PlanKind.SUPPLY}:": "plan",
    },
    "removal-scheduler": {f"{AlertKind.EXPIRED_REMOVAL}:": "alert"},
}
"""Who obeys commands → how the ids of its alerts and plans begin."""
LEFT_ALONE = "maintain"
"""Word that is for owners of tables."""

_OWNER = " ".join(
    f"WHEN startswith(c.target_id, '{prefix}') THEN '{owner}'"
    for owner, kinds in OWNERS.items()
    for prefix in kinds
)
_KIND = " ".join(
    f"WHEN startswith(c.target_id, '{prefix}') THEN '{kind}'"
    for kinds in OWNERS.values()
    for prefix, kind in kinds.items()
)
_REFUSAL = f"""
    CASE WHEN command NOT IN ('ack', 'dismiss', 'cancel') THEN concat('there is no command ', command)
        WHEN kind IS NULL THEN concat('no alert or plan is called ', target_id)
        WHEN (kind = 'plan') <> (command = 'cancel') THEN concat(kind, ' ', target_id, ' does not know ', command)
        WHEN status NOT IN {(*OPEN_ALERT, *PENDING_PLAN)} THEN concat(kind, ' ', target_id, ' is ', status)
        WHEN ended THEN concat(kind, ' ', target_id, ' is ', CASE kind WHEN 'plan' THEN 'canceled' ELSE 'dismissed' END)
        END"""


def commands(table: str, owner: str, targets: str) -> View:
    """The table of what was asked of an engine, each command with its refusal if it is refused.

    A command about something that is not known yet is kept: it holds when just that is opened.

    Args:
        table: Table that is kept.
        owner: The engine.
        targets: Query that gives `target_id`, `status` and `version` of the alerts and plans before the decisions.
    """
    return View(
        table=table,
        sql=f"""
            WITH targets AS ({targets}),
            said AS (
                SELECT c.event_id, c.event_time, c.command, c.target_id, c.actor, c.kafka_partition, c.kafka_offset,
                    CASE {_KIND} END AS kind,
                    row_number() OVER (PARTITION BY c.event_id ORDER BY c.kafka_partition, c.kafka_offset) AS turn
                FROM {{commands}} AS c LEFT JOIN {{current}} AS h ON h.event_id = c.event_id
                WHERE c.command <> '{LEFT_ALONE}'
                    AND CASE {_OWNER} ELSE '{ENGINE}' END = '{owner}'
                    AND (h.event_id IS NULL OR (h.refusal IS NOT NULL
                        AND NOT (h.kafka_partition = c.kafka_partition AND h.kafka_offset = c.kafka_offset)))),
            ending AS (
                SELECT DISTINCT target_id, met_version FROM {{current}}
                WHERE refusal IS NULL AND command <> 'ack' AND met_version > 0),
            met AS (
                SELECT s.*, t.status, coalesce(t.version, 0) AS met_version, e.target_id IS NOT NULL AS ended_before,
                    CASE WHEN t.status IN {OPEN_ALERT} AND s.command = 'dismiss'
                        OR t.status = 'pending' AND s.command = 'cancel' THEN 1 ELSE 0 END AS ends
                FROM said AS s LEFT JOIN targets AS t ON t.target_id = s.target_id
                LEFT JOIN ending AS e ON e.target_id = s.target_id AND e.met_version = t.version
                WHERE s.turn = 1),
            judged AS (
                SELECT *, ended_before OR coalesce(max(ends) OVER (
                    PARTITION BY target_id ORDER BY kafka_partition, kafka_offset
                    ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) = 1 AS ended
                FROM met)
            SELECT event_id, event_time, command, target_id, actor, {_REFUSAL} AS refusal, met_version,
                kafka_partition, kafka_offset
            FROM judged""",
    )


def asked(table: str) -> str:
    """Common table expression `asked`: the strongest ask of each target, and who made it first.

    Args:
        table: Relation of what was asked of the engine.
    """
    fields = ("weakness", "event_time", "event_id", "actor")
    return f"""
        asked AS (
            SELECT target_id, met_version, -strongest.weakness AS strength, strongest.actor AS actor
            FROM (
                SELECT target_id, met_version, min(struct({", ".join(f"{f} AS {f}" for f in fields)})) AS strongest
                FROM (
                    SELECT *, CASE command WHEN 'ack' THEN -{ACKNOWLEDGES} ELSE -{ENDS} END AS weakness
                    FROM {{{table}}} WHERE refusal IS NULL) AS asks
                GROUP BY target_id, met_version) AS grouped)"""


def refusals(table: str, targets: str) -> tuple[Objection, ...]:
    """What an engine refuses: what its table of commands says, and what nothing that it knows is called.

    Args:
        table: Relation of what was asked of the engine.
        targets: As for `commands`.
    """
    mine = f"""
        FROM {{commands}} AS c JOIN {{{table}}} AS h ON h.event_id = c.event_id
            AND h.kafka_partition = c.kafka_partition AND h.kafka_offset = c.kafka_offset"""
    closed = f"SELECT c.kafka_partition, c.kafka_offset, h.refusal AS detail {mine} WHERE h.refusal IS NOT NULL"
    unknown = f"""
        SELECT c.kafka_partition, c.kafka_offset, concat('no alert or plan is called ', c.target_id) AS detail {mine}
        LEFT ANTI JOIN ({targets}) AS t ON t.target_id = c.target_id
        WHERE h.refusal IS NULL"""
    return (
        Objection(topic="commands", reason=REFUSED, sql=closed),
        Objection(topic="commands", reason=REFUSED, sql=unknown, informed=True),
    )
