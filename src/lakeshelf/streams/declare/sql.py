"""SQL of the declarations: what a fold, a view or the search for duplicates says, as Spark SQL text."""

from __future__ import annotations

from collections.abc import Sequence

from lakeshelf.contracts import Table
from lakeshelf.contracts.messages import HASH_LENGTH
from lakeshelf.contracts.types import ID_LENGTH
from lakeshelf.streams.declare.job import RELATION, Fold, Latest, Movements, View, contract

REMOVED = "removed"
"""Column of changed rows that says which of them are removed."""
BOOKKEEPING = ("version", "updated_at", "decided_at")
_COMBINED = {"sum": "coalesce(sum({0}), 0)", "min": "min({0})", "max": "max({0})"}


def derived_id(id_: str) -> str:
    """An id that derives from others: what `lakeshelf.contracts.messages.derived_id` makes of the text `id_`."""
    cut = f"concat(substring({id_}, 1, {ID_LENGTH - HASH_LENGTH}), md5({id_}))"
    return f"CASE WHEN length({id_}) > {ID_LENGTH} THEN {cut} ELSE {id_} END"


def touched_keys(update: Fold | Latest) -> str:
    """Keys that the batch concerns, computed from its events alone, so that a repeat finds the same ones."""
    keys = ", ".join(contract(update).key)
    if isinstance(update, Latest):
        return f"SELECT DISTINCT {keys} FROM {update.source}"
    parts = (
        f"SELECT {', '.join(f'{m.values[key]} AS {key}' for key in contract(update).key)} "
        f"FROM {_source(m)} WHERE {m.where}"
        for m in update.movements
    )
    return f"SELECT DISTINCT {keys} FROM ({' UNION ALL '.join(parts)}) AS moved"


def fold_rows(fold: Fold) -> str:
    """New rows of a fold: its movements and its present rows of the same keys, combined."""
    table = contract(fold)
    columns = [*fold.combine, *fold.first, *fold.first_by]
    keys = ", ".join(table.key)
    parts = " UNION ALL ".join(
        (
            *(_movement(m, table, columns) for m in fold.movements),
            f"SELECT {keys}, {', '.join(columns)} FROM {{current}} LEFT SEMI JOIN {{touched}} USING ({keys})",
        )
    )
    combined = [
        f"{_COMBINED[function].format(column)} AS {column}"
        for column, function in fold.combine.items()
    ]
    if fold.first:
        fields = ", ".join(f"{c} AS {c}" for c in (*fold.first_by, *fold.first))
        combined.append(
            f"min(CASE WHEN {fold.first_by[0]} IS NOT NULL THEN struct({fields}) END) AS first_event"
        )
    grouped = f"SELECT {keys}, {', '.join(combined)} FROM ({parts}) AS parts GROUP BY {keys}"
    outer = [
        *table.key,
        *fold.combine,
        *(f"first_event.{c} AS {c}" for c in (*fold.first, *fold.first_by)),
        *(f"{expression} AS {column}" for column, expression in fold.derive.items()),
    ]
    return f"SELECT {', '.join(outer)} FROM ({grouped}) AS folded"


def latest_rows(latest: Latest) -> str:
    """The row with the highest version of each key, among the new messages and the present rows."""
    table = contract(latest)
    keys = ", ".join(table.key)
    columns = [c.name for c in table.columns if c.name not in (*table.key, "updated_at")]
    fields = ", ".join(["version", *(c for c in columns if c != "version")])
    parts = " UNION ALL ".join(
        f"SELECT {keys}, {fields} FROM {source}"
        for source in (latest.source, f"{{current}} LEFT SEMI JOIN {{touched}} USING ({keys})")
    )
    packed = ", ".join(f"{c} AS {c}" for c in fields.split(", "))
    grouped = (
        f"SELECT {keys}, max(struct({packed})) AS newest FROM ({parts}) AS parts GROUP BY {keys}"
    )
    return f"SELECT {keys}, {', '.join(f'newest.{c} AS {c}' for c in columns)} FROM ({grouped}) AS latest"


def rows(update: Fold | Latest | View) -> str:
    """Candidate rows of any update."""
    if isinstance(update, Fold):
        return fold_rows(update)
    return latest_rows(update) if isinstance(update, Latest) else update.sql


def changed_rows(table: Table, columns: Sequence[str]) -> str:
    """Rows of `{candidates}` that differ from `{current}` in more than version and time of writing."""
    content = [c for c in columns if c not in (*table.key, *BOOKKEEPING, REMOVED)]
    gone = f"n.{REMOVED}" if REMOVED in columns else "false"
    same = f"struct({', '.join(f'n.{c}' for c in content)}) <=> struct({', '.join(f'c.{c}' for c in content)})"
    joined = " AND ".join(f"n.{key} = c.{key}" for key in table.key)
    present = f"c.{table.key[0]} IS NOT NULL"
    return (
        f"SELECT n.* FROM {{candidates}} AS n LEFT JOIN {{current}} AS c ON {joined} "
        f"WHERE CASE WHEN {gone} THEN {present} ELSE NOT ({present} AND {same}) END"
    )


def present_rows(table: Table) -> str:
    """Rows of `{current}` at the keys of `{touched}`."""
    return f"SELECT * FROM {{current}} LEFT SEMI JOIN {{touched}} USING ({', '.join(table.key)})"


def vanished_keys(table: Table) -> str:
    """Rows of `{candidates}` that are removed and that `{current}` no longer has."""
    keys = ", ".join(table.key)
    return f"SELECT * FROM {{candidates}} LEFT ANTI JOIN {{current}} USING ({keys}) WHERE {REMOVED}"


def as_messages(table: Table, rows: str, *, deleted: bool) -> str:
    """Public columns of the relation `rows`, with the columns that messages of a compacted topic have besides."""
    names = ", ".join(column.name for column in table.public)
    return f"SELECT {names}, {str(deleted).lower()} AS deleted, updated_at AS kafka_timestamp FROM {{{rows}}}"


def substitute(text: str, **names: str) -> str:
    """Replace relations in braces that have another name here; the others stay."""
    return RELATION.sub(lambda match: "{" + names.get(match[1], match[1]) + "}", text)


def _source(movements: Movements) -> str:
    return (
        movements.source
        if RELATION.fullmatch(movements.source)
        else f"({movements.source}) AS source"
    )


def _movement(movements: Movements, table: Table, columns: Sequence[str]) -> str:
    values = [
        f"{movements.values.get(c, f'CAST(NULL AS {table.column(c).type})')} AS {c}"
        for c in (*table.key, *columns)
    ]
    return f"SELECT {', '.join(values)} FROM {_source(movements)} WHERE {movements.where}"
