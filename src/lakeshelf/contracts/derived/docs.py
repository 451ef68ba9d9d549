"""The reference: a Markdown page for each table, view and topic, and an index, from the catalogue."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from textwrap import dedent
from types import MappingProxyType

from lakeshelf.contracts import delta
from lakeshelf.contracts.catalog import Catalog
from lakeshelf.contracts.derived import kafka
from lakeshelf.contracts.model import KEY_SEPARATOR, Rule, Table, Topic, View, nested
from lakeshelf.contracts.retail.shared import OWNERS
from lakeshelf.contracts.types import Field
from lakeshelf.counts import count_of

INDEX = "index.md"
NONE: Mapping[str, str] = MappingProxyType({})
KEY_MARK = " \\*"
NOTICE = "<!-- generated from the contract by `lakeshelf contracts docs`; do not edit -->"


def render(catalog: Catalog) -> dict[str, str]:
    """All pages by path below the reference folder; a table's is its name below `tables/`."""
    pages = {INDEX: _index(catalog)}
    pages |= {_table_path(table): _table(table) for table in catalog.tables.values()}
    pages |= {_view_path(view): _view(view) for view in catalog.views.values()}
    return pages | {_topic_path(topic): _topic(topic) for topic in catalog.topics.values()}


def write(catalog: Catalog, folder: Path, further: Mapping[str, str] = NONE) -> list[str]:
    """Bring the folder in line with the catalogue.

    Pages of what is no longer declared are removed.

    Args:
        catalog: What is declared.
        folder: Folder of the reference.
        further: Path → page of what other rooms declare.

    Returns:
        Paths below the folder that were written or removed, in order.
    """
    stale = difference(catalog, folder, further)
    pages = {**render(catalog), **further}
    for path in stale:
        target = folder / path
        if path in pages:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(pages[path], encoding="utf-8")
        else:
            target.unlink()
    return stale


def difference(catalog: Catalog, folder: Path, further: Mapping[str, str] = NONE) -> list[str]:
    """Paths below the folder whose page is missing, differs or should not be there."""
    pages = {**render(catalog), **further}
    present = {
        path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8")
        for part in ("tables", "topics", "views", INDEX, *further)
        for path in _pages(folder / part)
    }
    return sorted(path for path in pages.keys() | present if pages.get(path) != present.get(path))


def _pages(path: Path) -> Iterable[Path]:
    return [path] if path.is_file() else path.rglob("*.md")


def _table_path(table: Table) -> str:
    return f"tables/{table.name}.md"


def _view_path(view: View) -> str:
    return f"views/{view.name}.md"


def _topic_path(topic: Topic) -> str:
    return f"topics/{topic.name}.md"


def _index(catalog: Catalog) -> str:
    tables = [
        (f"[`{t.name}`]({_table_path(t)})", f"`{t.owner}`", _first_sentence(t.doc))
        for t in catalog.tables.values()
    ]
    topics = [
        (
            f"[`{t.name}`]({_topic_path(t)})",
            f"`{t.cleanup}`",
            f"`{t.owner}`",
            _first_sentence(t.doc),
        )
        for t in catalog.topics.values()
    ]
    views = [
        (f"[`{v.name}`]({_view_path(v)})", _first_sentence(v.doc)) for v in catalog.views.values()
    ]
    return _page(
        "# Tables, views and topics",
        NOTICE,
        "## Topics",
        _grid(("topic", "cleanup", "published by", "what it carries"), topics),
        "## Tables",
        _grid(("table", "written by", "what a row is"), tables),
        "## Owners",
        "Whoever publishes or writes is a [job](jobs.md), a component, or one of these.",
        _grid(("owner", "is"), [(f"`{owner}`", meaning) for owner, meaning in OWNERS.items()]),
        "## Views",
        "Queries over tables, for `lakeshelf sql` and `lakeshelf.query`; nothing of them is stored.",
        _grid(("view", "what a row is"), views),
    )


def _table(table: Table) -> str:
    facts = [
        ("key", _codes(table.key)),
        ("written by", f"`{table.owner}`"),
        ("partitioned by", _codes(table.partition_by) or "nothing"),
        ("profile", f"`{table.profile}`"),
    ]
    if table.topic is not None:
        up = "../" * _table_path(table).count("/")
        facts.append(("topic", f"[`{table.topic}`]({up}topics/{table.topic}.md)"))
    return _page(
        f"# `{table.name}`",
        NOTICE,
        table.doc,
        _grid(("", ""), facts),
        "## Columns",
        _fields(table.columns, table.key),
        *_constraints(table),
        "## Properties",
        _grid(("property", "value"), _settings(delta.properties(table))),
    )


def _view(view: View) -> str:
    up = "../" * _view_path(view).count("/")
    read = ", ".join(f"[`{name}`]({up}tables/{name}.md)" for name in view.tables)
    text = dedent(view.over({name: name.replace("/", ".") for name in view.tables})).strip()
    return _page(
        f"# `{view.name}`",
        NOTICE,
        view.doc,
        _grid(("", ""), [("reads", read)]),
        "## Columns",
        _fields(view.columns, ()),
        "## Query",
        f"```sql\n{text}\n```",
    )


def _constraints(table: Table) -> list[str]:
    checks = delta.constraints(table)
    return ["## Constraints", _grid(("name", "always true"), _settings(checks))] if checks else []


def _topic(topic: Topic) -> str:
    key = _codes(topic.key, KEY_SEPARATOR) or f"always `{topic.fixed_key}`"
    facts = [
        ("key", key),
        ("cleanup", f"`{topic.cleanup}`"),
        ("published by", f"`{topic.owner}`"),
        ("partitions", str(topic.partitions)),
    ]
    if topic.event_types:
        facts.append(("event types", _codes(topic.event_types)))
    only = [f"`{f.name}` stands in the key alone. {f.doc}" for f in topic.key_only]
    return _page(
        f"# `{topic.name}`",
        NOTICE,
        topic.doc,
        _grid(("", ""), facts),
        "## Fields",
        *only,
        _fields(topic.fields, topic.key, lengths=True),
        *(
            f"### Elements of `{field.name}`\n\n{_fields(nested(field), (), lengths=True)}"
            for field in topic.fields
            if nested(field)
        ),
        *_rules(topic.rules),
        *_agreements(topic),
        "## Settings",
        _grid(("setting", "value"), _settings(kafka.settings(topic))),
    )


def _rules(rules: tuple[Rule, ...]) -> list[str]:
    rows = [
        (
            _codes(rule.event_types),
            _codes(rule.required),
            "; ".join(
                f"`{b.field}` {b.minimum:,} to {b.maximum:,}{', not 0' if b.nonzero else ''}"
                for b in rule.bounds
            ),
        )
        for rule in rules
    ]
    return ["## Rules", _grid(("event type", "requires", "bounds"), rows)] if rules else []


def _agreements(topic: Topic) -> list[str]:
    """What holds of several values of a message."""
    lines = [f"- `{name}` and `{other}` are equal." for name, other in topic.equal]
    lines += [
        f"- `{later}` is at most {count_of(days, 'day')} after `{earlier}`, and not before it."
        for later, earlier, days in topic.within
    ]
    lines += [f"- No two of `{name}` have the same `{inner}`." for name, inner in topic.unique]
    if topic.compacted:
        lines.append("- The header `version`, where there is one, is the `version` of the value.")
    return ["## What values agree on", "\n".join(lines)] if lines else []


def _fields(fields: Iterable[Field], key: tuple[str, ...], *, lengths: bool = False) -> str:
    rows = [
        (
            f"`{field.name}`{KEY_MARK if field.name in key else ''}",
            "list of objects" if nested(field) else f"`{field.type}`",
            "yes" if field.required else "",
            _meaning(field, lengths=lengths),
        )
        for field in fields
    ]
    return _grid(("name", "type", "required", "meaning"), rows)


def _meaning(field: Field, *, lengths: bool) -> str:
    parts = [field.doc]
    if lengths and field.longest is not None and not field.enum:
        parts.append(f"At most {field.longest:,} characters.")
    if lengths and field.most is not None:
        parts.append(f"At most {field.most:,} of them.")
    if field.enum:
        parts.append(f"One of {_codes(field.enum)}.")
    if field.minimum is not None or field.maximum is not None:
        parts.append(f"{_range(field)}.")
    if field.unit:
        parts.append(f"In {field.unit}.")
    if field.default is not None:
        parts.append(f"Default {str(field.default).lower()}.")
    if field.internal:
        parts.append("Internal: working column of the owner, in no message.")
    return " ".join(parts)


def _range(field: Field) -> str:
    if field.maximum is None:
        return f"At least {field.minimum:,}"
    if field.minimum is None:
        return f"At most {field.maximum:,}"
    return f"{field.minimum:,} to {field.maximum:,}"


def _first_sentence(text: str) -> str:
    return text.partition(". ")[0].rstrip(".") + "."


def _codes(names: Iterable[str], separator: str = ", ") -> str:
    return separator.join(f"`{name}`" for name in names)


def _settings(settings: dict[str, str]) -> list[tuple[str, str]]:
    return [(f"`{name}`", f"`{value}`") for name, value in settings.items()]


def _grid(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _page(*blocks: str) -> str:
    return "\n\n".join(blocks) + "\n"
