# ruff: noqa: PLC0415 - what is heavy is imported by the command that needs it
"""`components`: which there are, write a new one, run some."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from lakeshelf.cli.console import access, completion
from lakeshelf.cli.console.output import All, AsJson, Most, most, print_list

app = typer.Typer(
    help="Kafka components: the clock, the store simulation, managers and schedulers."
)


@app.command("list")
def list_(*, limit: Most = None, every: All = False, as_json: AsJson = False) -> None:
    """List the components: what each reads, keeps and publishes, and which of its tables is its journal."""
    from lakeshelf.components import flows, registry

    listed: list[dict[str, Any]] = [
        {
            "component": name,
            "phase": component.phase,
            "reads": list(flows.reads(component)),
            "keeps": sorted(flows.own(component)),
            "publishes": list(component.publishes),
            "journal": component.journal,
            "doc": component.doc,
        }
        for name, component in registry.discover(*access.settings().homes).items()
    ]
    shown = listed[: most(limit, every, as_json)]
    print_list(shown, len(listed), "components", as_json)


@app.command("new")
def new(
    name: Annotated[str, typer.Argument(help="Its name, such as daily-visits.")],
    *,
    topic: Annotated[str, typer.Option(help="Topic whose events it counts.")] = "foot_traffic",
    as_json: AsJson = False,
) -> None:
    """Write a component that runs: once a business day it counts the events of the day before by store."""
    from lakeshelf.cli.platform import scaffolding

    component = scaffolding.App(scaffolding.COMPONENT, name, topic)
    scaffolding.show(scaffolding.new(access.settings(), component), as_json=as_json)


@app.command("run")
def run(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            help="Names of components, or `clock`; none: all, where `simulation` is off all but the simulation's.",
            autocompletion=completion.components,
        ),
    ] = None,
    *,
    without: Annotated[
        list[str] | None,
        typer.Option(
            help="A component to leave out, which another process runs; may be given again.",
            autocompletion=completion.components,
        ),
    ] = None,
) -> None:
    """Run components in this process until Ctrl-C; twice kills."""
    from lakeshelf.components import registry
    from lakeshelf.components.component import Follower
    from lakeshelf.lake.rows import tables
    from lakeshelf.stack.embedded.clients import running_client
    from lakeshelf.stack.supervision import components_process, handover
    from lakeshelf.status_files import COMPONENTS, FOLLOWERS

    settings = access.settings()
    known = registry.discover(*settings.homes)
    everything = (registry.CLOCK, *known)
    left_out = registry.select(everything, without) if without else ()
    chosen = names or registry.chosen(settings)
    selected = tuple(n for n in registry.select(everything, chosen) if n not in left_out)
    running_client(settings)
    handover.begin_log("components", settings, printed=True)
    for name in selected:
        if name in known:
            tables.open_table(settings.lake_root, known[name].journal)
    is_beside = all(name in known and issubclass(known[name], Follower) for name in selected)
    status = FOLLOWERS if is_beside else COMPONENTS
    components_process.run(settings, selected, status=status)
