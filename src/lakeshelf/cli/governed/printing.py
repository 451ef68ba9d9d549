"""What people read of change requests, in all commands alike."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from lakeshelf.cli.console.output import add, console, grid, print_json, rows
from lakeshelf.cli.governed.cells import shown
from lakeshelf.cli.governed.connecting import next_command
from lakeshelf.counts import count_is, count_of
from lakeshelf.errors import ConfigurationError
from lakeshelf.governance.errors import GovernanceError

ROWS_SHOWN = 200
"""Changes that people see at once."""
COMMANDS = {"force": "merge --force", "reject_cells": "reject-cells", "submit": "take-up"}
"""What can be done with a change request → the command of `cr`, where it has another name."""


def print_proposed(made: Mapping[str, Any], as_json: bool) -> None:
    """Print a change request that was just made."""
    if as_json:
        print_json(made)
        return
    request = made["request"]
    command = next_command(f"cr show {request['number']}", request["project"])
    asked = f" Asked to: {', '.join(made['reviewers'])}." if made["reviewers"] else ""
    console().print(
        f"CR {request['number']} of {request['dataset']} ({request['title']}) waits for a review. "
        f"Who may approve it: {', '.join(made['may_approve'])}.{asked} "
        f"Next: `{command}`",
        markup=False,
        soft_wrap=True,
    )


def print_preview(answer: Mapping[str, Any], as_json: bool) -> None:
    """Print what a merge would do."""
    if as_json:
        print_json(answer)
        return
    counts = answer["counts"]
    console().print(
        f"rows inserted {counts['inserted']:,}, updated {counts['updated']:,}, deleted {counts['deleted']:,}; "
        f"cells {counts['cells']:,}, conflicts {counts['conflicts']:,}; against version {answer['version']}",
        soft_wrap=True,
    )
    _print_changes(answer["changes"], counts)
    _print_problems(answer)


def _print_changes(changes: Sequence[Mapping[str, Any]], counts: Mapping[str, int]) -> None:
    table = grid("row", "column", "op", "was", "is")
    for one in changes:
        add(table, one["row_id"], one["column"], one["op"], shown(one["old"]), shown(one["new"]))
    if changes:
        console().print(table)
    listed = len({one["row_id"] for one in changes})
    total = counts["inserted"] + counts["updated"] + counts["deleted"]
    if listed < total:
        console().print(f"the first {listed:,} of {total:,} rows; the change request shows all")


def print_head(seen: Mapping[str, Any]) -> None:
    """Print what a change request is, and how it stands to main."""
    request, mark = seen["request"], seen["mark"]
    against = f", {mark['state']} against version {mark['main_version']}" if mark else ""
    if request["merged_version"] is not None:
        against = f", merged as version {request['merged_version']} by {request['merged_by']}"
    console().print(
        f"CR {request['number']} {request['title']} [{request['status']}{against}]",
        markup=False,
        soft_wrap=True,
    )
    console().print(
        f"{request['dataset']}, revision {request['revision']} by {', '.join(seen['authors'])}; "
        f"content {(request['content_hash'] or '-')[:12]}",
        soft_wrap=True,
    )
    if request["description"]:
        console().print(request["description"], markup=False)
    for change in seen["definition_changes"]:
        console().print(_definition_change(change), markup=False, soft_wrap=True)


def _definition_change(change: Mapping[str, Any]) -> str:
    """A part of a definition, and what of it is another one."""
    part, name = change["part"], change["name"]
    what = part if name == part else f"{part} {name}"
    old, new = change["old"], change["new"]
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        changed = [one for one in {**old, **new} if old.get(one) != new.get(one)]
        sides = (f"{one} {shown(old.get(one))} → {shown(new.get(one))}" for one in changed)
        return f"{what}: {', '.join(sides)}"
    if old is None:
        return f"new {what}: {shown(new)}"
    return f"{what} goes: {shown(old)}" if new is None else f"{what}: {shown(old)} → {shown(new)}"


def print_diff(seen: Mapping[str, Any], cells: Sequence[Mapping[str, Any]], total: int) -> None:
    """Print the cells that a change request changes, or changed if it is merged."""
    if not cells:
        return
    sides = {"base": "base", "main now": "main", "staged": "staged"}
    if seen["request"]["merged_version"] is not None:
        sides = {"was": "base", "is": "staged"}
    table = grid("row", "column", "op", *sides, "")
    for cell in cells:
        values = [shown(cell[side]) for side in sides.values()]
        marked = f"CONFLICT {cell['conflict']}" if cell["conflict"] else ""
        add(table, cell["row_id"], cell["column"], cell["op"], *values, marked)
    console().print(table)
    if len(cells) < total:
        console().print(f"{len(cells):,} of {total:,} changes; `cr show --json` has all")


def print_state(answer: Mapping[str, Any], as_json: bool, verb: str) -> None:
    """Print the state of a change request, and what to do next."""
    if as_json:
        print_json(answer)
        return
    number = answer["number"]
    command = next_command(f"{verb} {number}", answer["project"])
    console().print(
        f"CR {number} is {answer['status']}. Next: `{command}`",
        soft_wrap=True,
    )


def is_conflicting(seen: Mapping[str, Any]) -> bool:
    """Whether conflicts are in the way of a merge."""
    is_merged = seen["request"]["merged_version"] is not None
    return not is_merged and seen["mark"] is not None and seen["mark"]["state"] == "conflicting"


def print_conflicts(seen: Mapping[str, Any], cells: Sequence[Mapping[str, Any]]) -> None:
    """Say that a change request cannot be merged as it is, and what settles that; nothing where it can.

    Args:
        seen: The change request.
        cells: The first cells that it changes, those in conflict before the others.
    """
    if not is_conflicting(seen):
        return
    request, count = seen["request"], seen["mark"]["conflicts"]
    console().print(
        f"{count_is(count, 'conflict')} in the way of a merge; what is settled is approved again.",
        soft_wrap=True,
    )
    for cell in [one for one in cells if one["conflict"]][:1]:
        place = ".".join(part for part in (cell["row_id"], cell["column"]) if part)
        settled = shlex.quote(f"{place}=staged")
        command = next_command(f"cr resolve {request['number']} {settled}", request["project"])
        console().print(
            f"Settle one: `{command}`, or all: `--all main`", markup=False, soft_wrap=True
        )


def print_rights(seen: Mapping[str, Any]) -> None:
    """Print what somebody can do with a change request, and why not what its state alone would let them."""
    by_state = f"it is {seen['request']['status']}"
    rights = {COMMANDS.get(act, act): right for act, right in seen["can"].items()}
    possible = ", ".join(act for act, right in rights.items() if right is True)
    console().print(f"you can: {possible or 'only look'}", style="dim", soft_wrap=True)
    for act, right in rights.items():
        if right not in (True, by_state):
            console().print(f"you cannot {act}: {right}", style="dim", soft_wrap=True)


@contextmanager
def explained(as_json: bool) -> Iterator[None]:
    """Print the conflicts and findings of a refusal before it is raised."""
    try:
        yield
    except GovernanceError as error:
        if not as_json:
            _print_problems(error.details)
        raise


def _print_problems(of: Mapping[str, Any]) -> None:
    for name, line in (("conflicts", _conflict), ("findings", finding_line)):
        if of.get(name):
            console().print(rows([line(one) for one in of[name][:ROWS_SHOWN]]))
            if len(of[name]) > ROWS_SHOWN:
                console().print(f"{ROWS_SHOWN:,} of {len(of[name]):,} {name}")


def content_of(seen: Mapping[str, Any]) -> str:
    """The content that was seen.

    Raises:
        ConfigurationError: None was submitted yet.
    """
    content = seen["request"]["content_hash"]
    if content is None:
        number = seen["request"]["number"]
        raise ConfigurationError(f"CR {number} was not submitted yet", hint="submit it first")
    return str(content)


def print_effect(effect: Mapping[str, Any]) -> None:
    """Print what a change would do at a location: figures in all, by store, and the shelves that change most."""
    console().print(effect["location"], style="bold")
    if not effect["known"]:
        console().print(f"unknown: {effect['why']}", soft_wrap=True)
        return
    table = grid("", "now", "then", "shelves changed", right=("now", "then", "shelves changed"))
    for name, figure in effect["totals"].items():
        add(table, name.replace("_", " "), figure["now"], figure["then"], figure["changed"])
    console().print(table)
    for records in (effect["stores"], effect["shelves"]):
        if records:
            console().print(rows(records))


def _conflict(one: Mapping[str, Any]) -> dict[str, Any]:
    parts = {name: shown(one[name]) for name in ("base", "main", "staged")}
    return {"row": one["row_id"], "column": one["column"], "conflict": one["kind"], **parts}


def finding_line(one: Mapping[str, Any]) -> dict[str, Any]:
    """A finding, as people see it."""
    return {
        "row": one["row_id"],
        "column": one["column"],
        "value": shown(one["value"]),
        "severity": one["severity"],
        "rule": one["message"],
    }


def print_definition(definition: Mapping[str, Any], as_json: bool) -> None:
    """Print what a dataset is; as JSON the record itself."""
    if as_json:
        print_json(definition)
        return
    key, policy = ", ".join(definition["key"]), definition["policy"]
    console().print(
        f"version {definition['version']}, key {key}, {count_of(policy['approvals'], 'approval')}",
        soft_wrap=True,
    )
    console().print(rows([_column(one) for one in definition["columns"]]))
    if definition["rules"]:
        console().print(rows([_rule(one) for one in definition["rules"]]))


def _column(one: Mapping[str, Any]) -> dict[str, Any]:
    names = ("name", "type", "label", "unit", "minimum", "maximum")
    return {name: one[name] for name in names}


def _rule(one: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "rule": one["name"],
        "kind": one["kind"],
        "columns": list(one["columns"]),
        "severity": one["severity"],
        "params": one["params"],
    }
