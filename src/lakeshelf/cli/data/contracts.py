# ruff: noqa: PLC0415 - what is heavy is imported by the command that needs it
"""`contracts`: what flows, as declared."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lakeshelf.cli.console import access, completion
from lakeshelf.cli.console.output import AsJson, console, print_json, rows
from lakeshelf.counts import count_of
from lakeshelf.errors import ConfigurationError, ContractError

if TYPE_CHECKING:
    from lakeshelf.contracts import Field, Table, Topic

app = typer.Typer(help="What flows: topics and tables as declared.")


@app.command("show")
def show(
    name: Annotated[
        str,
        typer.Argument(
            help="A topic, or a table or view such as cleansed/shelf_state.",
            autocompletion=completion.contracts,
        ),
    ],
    *,
    as_json: AsJson = False,
) -> None:
    """Show one topic, table or view: keys, fields, meaning."""
    access.settings()  # a project declares more
    contract = _declared(name)
    key, owner = getattr(contract, "key", ()), getattr(contract, "owner", None)
    fields = [
        _field(field, key)
        for field in (contract.fields if _is_topic(contract) else contract.columns)
    ]
    head = {"name": contract.name, "owner": owner, "key": list(key), "doc": contract.doc}
    if as_json:
        print_json({**head, **_settings(contract), "fields": fields})
        return
    out = console()
    out.print(
        f"{contract.name}, owner {owner or '-'}, key {', '.join(key) or '-'}",
        style="bold",
    )
    out.print(contract.doc)
    out.print()
    out.print(rows(fields))
    for setting, value in _settings(contract)["settings"].items():
        out.print(f"{setting} = {value}")


@app.command("check")
def check(
    *,
    releases: Annotated[
        Path | None, typer.Option(help="Folder of the stored releases; unset: the package's.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compare the contract with the stored release; refuse what breaks readers."""
    from lakeshelf.contracts import PRODUCT, release

    folder = releases or release.FOLDER
    changes = [str(change) for change in release.check(PRODUCT, folder)]
    if as_json:
        print_json({"release": release.latest(folder), "changes": changes})
        return
    for change in changes:
        console().print(change, soft_wrap=True)
    console().print(
        f"No reader of release {release.latest(folder)} breaks; {count_of(len(changes), 'change')} since."
    )


@app.command("docs")
def docs(
    *,
    only_check: Annotated[
        bool, typer.Option("--check", help="Write nothing; fail when pages are stale.")
    ] = False,
    folder: Annotated[
        Path | None, typer.Option(help="Folder of the pages; unset: docs/reference.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write the reference pages of all topics, tables and jobs."""
    from lakeshelf.contracts import PRODUCT
    from lakeshelf.contracts.derived import docs as pages
    from lakeshelf.streams.declare import lineage, registry

    home = access.settings().home
    target = folder or home / "docs" / "reference"
    further = {lineage.PAGE: lineage.render(registry.discover(home).values())}
    bring = pages.difference if only_check else pages.write
    stale = bring(PRODUCT, target, further)
    if only_check and stale:
        raise ContractError(
            f"{len(stale)} pages below {target} do not fit the contract: {', '.join(stale[:3])}",
            hint="run `lakeshelf contracts docs`",
        )
    if as_json:
        print_json({"folder": str(target), "written": stale})
    else:
        console().print(f"{len(stale)} pages written below {target}", soft_wrap=True)


@app.command("acls")
def acls(
    *,
    service: Annotated[
        list[str] | None, typer.Option(help="Only this service; may be repeated.")
    ] = None,
    principal: Annotated[
        str | None, typer.Option(help="Whom to allow it; unset: User:SERVICE.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Print what each service may do with Kafka, as commands of kafka-acls.sh."""
    from lakeshelf.components import permissions

    needed = permissions.permissions(access.settings().homes)
    needed = permissions.chosen(needed, service or ())
    if as_json:
        print_json(
            [{**vars(one), "principal": principal or f"User:{one.service}"} for one in needed]
        )
        return
    for command in permissions.commands(needed, principal):
        console().print(command, soft_wrap=True, markup=False, highlight=False)


@app.command("topics")
def topics(
    *,
    replication: Annotated[int, typer.Option(min=1, help="Copies of each partition.")] = 3,
    as_json: AsJson = False,
) -> None:
    """Print how the topics are made, as commands of kafka-topics.sh."""
    from lakeshelf.contracts import CATALOG
    from lakeshelf.contracts.derived import kafka

    access.settings()  # a project declares more
    if as_json:
        print_json(
            [
                {"topic": topic.name, "partitions": topic.partitions, **_settings(topic)}
                for topic in CATALOG.topics.values()
            ]
        )
        return
    for topic in CATALOG.topics.values():
        command = kafka.creation(topic, replication)
        console().print(command, soft_wrap=True, markup=False, highlight=False)


def _declared(name: str) -> Any:
    from lakeshelf.contracts import CATALOG

    declared = (CATALOG.topics, CATALOG.tables, CATALOG.views)
    contract = next((part[name] for part in declared if name in part), None)
    if contract is None:
        names = [name for part in declared for name in part]
        near = difflib.get_close_matches(name, names, n=3, cutoff=0.4) or names[:5]
        raise ConfigurationError(
            f"no topic, table or view {name!r}", hint=f"did you mean {', '.join(near)}?"
        )
    return contract


def _is_topic(contract: Topic | Table) -> bool:
    return hasattr(contract, "cleanup")


def _field(field: Field, key: tuple[str, ...]) -> dict[str, Any]:
    return {
        "field": field.name,
        "type": str(field.type),
        "key": "key" if field.name in key else "",
        "required": "yes" if field.required else "",
        "meaning": field.doc,
    }


def _settings(contract: Any) -> dict[str, Any]:
    from lakeshelf.contracts import View, delta
    from lakeshelf.contracts.derived import kafka

    if _is_topic(contract):
        return {"kind": "topic", "settings": kafka.settings(contract)}
    if isinstance(contract, View):
        return {"kind": "view", "settings": {"reads": ", ".join(contract.tables)}}
    return {
        "kind": "table",
        "settings": {**delta.properties(contract), **delta.constraints(contract)},
    }
