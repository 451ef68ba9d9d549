"""`lakeshelf`: the command line. Every failure is one line on stderr and an exit code."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import typer

from lakeshelf import __version__, extras, lean
from lakeshelf.addresses import without_secrets
from lakeshelf.cli.console import access, listings, placing
from lakeshelf.cli.console.access import GlobalOptions
from lakeshelf.cli.console.output import errors
from lakeshelf.cli.console.terminal import lines
from lakeshelf.cli.data import contracts, files, lake, migrate, sql
from lakeshelf.cli.governed import data as governed_data
from lakeshelf.cli.governed import files as governed_files
from lakeshelf.cli.governed import requests, users, webhooks
from lakeshelf.cli.platform import (
    bootstrap,
    components,
    config,
    demo,
    destroy,
    jobs,
    parts,
    plan,
    project,
    stack,
)
from lakeshelf.cli.platform.observing import doctor, logs, profile, reconcile, status, watch
from lakeshelf.cli.shop import (
    explain,
    features,
    models,
    people,
    policies,
    quarantine,
    stock,
    trace,
    whatif,
)
from lakeshelf.errors import LakeshelfError, first_line, refused

INTERRUPTED = 130

app = typer.Typer(
    name="lakeshelf",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="A streaming lakehouse for retail stock: Kafka, Spark Structured Streaming and Delta, exactly once.",
)


def _version(requested: bool) -> None:
    if requested:
        typer.echo(f"lakeshelf {__version__}")
        raise typer.Exit


@app.callback()
def main(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Take the options before the command."""


app.command("init")(project.init)
app.command("check")(project.check)
app.command("up")(stack.up)
app.command("down")(stack.down)
app.command("ui")(parts.ui)
app.command("run")(parts.run)
app.command("destroy")(destroy.destroy)
app.command("status")(status.status)
app.command("watch")(watch.watch)
app.command("profile")(profile.profile)
app.command("logs")(logs.logs)
app.command("trace")(trace.trace)
app.command("demo")(demo.demo)
app.command("reconcile")(reconcile.reconcile)
app.command("doctor")(doctor.doctor)
app.command("bootstrap")(bootstrap.bootstrap)
app.command("plan")(plan.plan)
app.command("rebuild")(bootstrap.rebuild)
app.command("continue")(bootstrap.continue_)
app.add_typer(jobs.app, name="jobs")
app.add_typer(components.app, name="components")
app.add_typer(lake.app, name="lake")
app.add_typer(migrate.app, name="migrate")
app.add_typer(files.app, name="files")
app.command("sql")(sql.sql)
app.command("tables")(listings.tables)
app.command("topics")(listings.topics)
app.add_typer(contracts.app, name="contracts")
app.add_typer(people.alerts, name="alerts")
app.add_typer(people.plans, name="plans")
app.add_typer(stock.app, name="stock")
app.add_typer(policies.app, name="policies")
app.command("whatif")(whatif.whatif)
app.command("explain")(explain.explain)
app.add_typer(features.app, name="features")
app.add_typer(models.app, name="models")
app.add_typer(quarantine.app, name="quarantine")
app.command("replay-quarantine")(quarantine.replay_quarantine)
app.add_typer(users.app, name="users")
app.command("import")(governed_files.import_)
app.add_typer(governed_data.app, name="data")
app.add_typer(requests.app, name="cr")
app.add_typer(webhooks.app, name="webhooks")
app.command("config")(config.config)


def app_main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and end the process with its exit code."""
    lean.without(lean.PANDAS)
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def run(arguments: Sequence[str]) -> int:
    """Run one command; its exit code. `--debug` and `--lake` may stand before it or after it."""
    access.use(GlobalOptions(debug=placing.DEBUG in arguments))
    command = _command(app)
    try:
        code = command(args=arguments or ["--help"], prog_name="lakeshelf", standalone_mode=False)
        sys.stdout.flush()
    except BrokenPipeError:
        return _unheard()
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - the last resort of the whole program
        return _failed(*_explained(error))
    return code if isinstance(code, int) else 0


@cache
def _command(declared: typer.Typer) -> Any:
    """The declared command line with the options that every command takes, made once."""
    return placing.everywhere(typer.main.get_command(declared))


def _unheard() -> int:
    """The reader of stdout has gone; nothing more is written, or Python would complain at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1


def _failed(line: str, code: int) -> int:
    if access.options().debug:
        errors().print(lines(without_secrets(traceback.format_exc(), os.environ)))
    errors().print(f"error: {' '.join(line.splitlines())}", style="red")
    try:
        sys.stdout.flush()
    except OSError:
        _unheard()
    return code


def _explained(error: BaseException) -> tuple[str, int]:
    """What failed and what to do, and the exit code."""
    if isinstance(error, LakeshelfError):
        return str(error), error.exit_code
    if isinstance(error, KeyboardInterrupt | typer.Abort):
        return "interrupted", INTERRUPTED
    if isinstance(error, typer.TyperException):
        return _usage(error), 2
    if isinstance(error, OSError):
        return _refused(error), 1
    return _unexpected(error)


def _refused(error: OSError) -> str:
    """What the system refused."""
    what, hint = refused(error)
    said = what if error.filename else f"standard output: {what}"
    return f"{without_secrets(said, os.environ)}; {hint or 'run again with --debug'}"


def _unexpected(error: BaseException) -> tuple[str, int]:
    lacking = extras.missing(error) if isinstance(error, ModuleNotFoundError) else None
    if lacking is not None:
        return str(lacking), lacking.exit_code
    *_, frame = traceback.extract_tb(error.__traceback__)
    place = f"{Path(frame.filename).name}:{frame.lineno}"
    line = f"unexpected {type(error).__name__} in {place}: {first_line(error)}"
    return f"{line}; run again with --debug", 1


def _usage(error: typer.TyperException) -> str:
    """The problem in one line, and the command that helps."""
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "lakeshelf"
    return f"{' '.join(error.format_message().split()).rstrip('.')}; see `{path} --help`"


if __name__ == "__main__":
    app_main()
