# ruff: noqa: PLC0415 - what is heavy is imported by the command that needs it
"""`up` and `down`."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lakeshelf.cli.console import access
from lakeshelf.cli.console.output import AsJson, Steps, add, console, errors, grid, print_json
from lakeshelf.cli.console.starting import Patience, Start
from lakeshelf.cli.platform import parts
from lakeshelf.cli.platform.observing.watch import show_live
from lakeshelf.counts import count_of
from lakeshelf.errors import LakeshelfError

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

    from lakeshelf.settings import Settings

POLL_S = 0.1
LIVELY = 60.0
"""Speed at which a shop is watched: an hour a minute."""
NEXT = {"look": "watch", "ask": 'sql "SHOW TABLES"', "examine": "status", "stop": "down"}
"""What can be done with a stack that is up → the command."""


Foreground = Annotated[
    bool, typer.Option("--foreground", help="Stay in the terminal; Ctrl-C stops, twice kills.")
]
Timeout = Annotated[
    float, typer.Option(min=1, help="Longest wait for the next step of the start, seconds.")
]
Simulation = Annotated[bool, typer.Option(help="Simulate stores and their customers.")]
Speed = Annotated[
    float | None,
    typer.Option(help=f"Business seconds a second; unset: {LIVELY:.0f} with a simulation, else 1."),
]
Stores = Annotated[int | None, typer.Option(help="Simulated stores.")]
Shelves = Annotated[int | None, typer.Option(help="Shelves a simulated store.")]
Seed = Annotated[int | None, typer.Option(help="Chooses what the simulation does.")]
Governance = Annotated[
    bool | None,
    typer.Option(help="Serve governed datasets, so that what changes policies is reviewed."),
]
Watch = Annotated[bool, typer.Option(help="Show live numbers in a terminal once everything runs.")]


def up(
    *,
    foreground: Foreground = False,
    timeout: Timeout = 120.0,
    simulation: Simulation = True,
    speed: Speed = None,
    stores: Stores = None,
    shelves: Shelves = None,
    seed: Seed = None,
    governance: Governance = None,
    watch: Watch = True,
    as_json: AsJson = False,
) -> None:
    """Start broker, jobs, components and a simulated shop, and go on where they were."""
    shop = {
        "simulation": None if simulation else False,
        "clock_speed": speed,
        "simulation_stores": stores,
        "simulation_shelves": shelves,
        "simulation_seed": seed,
        "governance": governance,
    }
    launch = Launch.of(shop)
    if foreground:
        launch.stay()
        return
    launch.start(timeout, as_json=as_json)
    if watch and not as_json and console().is_terminal:
        show_live(launch.settings)


@dataclass(frozen=True)
class Launch:
    """A stack that is to be up.

    Attributes:
        settings: Its settings.
        status: What it tells where it is up already; else empty.
    """

    settings: Settings
    status: dict[str, Any]

    @classmethod
    def of(cls, shop: Mapping[str, Any]) -> Launch:
        """The stack with settings of a shop; those that are None are not chosen.

        Raises:
            LakeshelfError: It is up already, and settings are chosen for it.
        """
        from lakeshelf.stack.supervision.supervisor import running_stack

        settings = access.settings(**shop)
        if settings.simulation and "clock_speed" not in settings.model_fields_set:
            settings = settings.model_copy(update={"clock_speed": LIVELY})
        status = running_stack(settings)
        if status and any(value is not None for value in shop.values()):
            raise LakeshelfError(
                f"the stack of {status['lake']} is up already, with settings of its own",
                hint="run `lakeshelf down` first to change them",
            )
        return cls(settings, status)

    def stay(self) -> None:
        """Run it in this terminal."""
        from lakeshelf.components import registry
        from lakeshelf.stack.supervision import governed
        from lakeshelf.stack.supervision.supervisor import Supervisor

        settings = self.settings
        require_bound(settings)
        supervisor = Supervisor(
            settings, components=registry.chosen(settings), governed=governed.is_wanted(settings)
        )
        supervisor.acquire()
        supervisor.stop_on_signals()
        console().print(f"The stack of {settings.lake} starts; Ctrl-C stops it, twice kills.")
        supervisor.run()

    def start(self, timeout: float, *, as_json: bool) -> None:
        """See to it that it runs in the background, and tell how it is."""
        if not self.status:
            status = self._started(timeout)
        else:
            status, state = self.status, self.status["state"]
            if not as_json:
                stands = "is up" if state == "running" else f"is {state}"
                console().print(f"The stack of {status['lake']} {stands} already.")
        _report(status, self.settings, as_json=as_json)

    def _started(self, timeout: float) -> dict[str, Any]:
        from lakeshelf.stack.observing import planning

        require_bound(self.settings)
        for name in planning.late(self.settings):
            errors().print(f"{name} {planning.FROM_NOW_ON}", soft_wrap=True)
        with Start().shown() as show:
            return _started(self.settings, Patience(timeout), show)


def require_bound(settings: Settings) -> None:
    """Refuse to start jobs of a project whose SQL cannot run."""
    if settings.project is not None:
        from lakeshelf.streams.declare import binding, registry

        binding.require_bound(registry.discover(*settings.homes).values())


def down(
    *,
    timeout: Annotated[float, typer.Option(min=1, help="Longest wait, seconds.")] = 150.0,
    as_json: AsJson = False,
) -> None:
    """Stop jobs at a batch boundary, then the broker; data stay."""
    from lakeshelf.stack.supervision.supervisor import running_stack

    settings = access.plain()
    status = running_stack(settings)
    if status:
        with Steps({"down": "queries finish their batches"}).shown() as show:
            _stopped(status, timeout, show)
    if as_json:
        print_json({"stopped": bool(status), "lake": settings.lake})
    elif status:
        console().print(
            f"The stack is down; its data stay in {settings.lake}. Next: `lakeshelf up`"
        )
    else:
        console().print(f"Nothing runs on {settings.lake}.")


def _started(settings: Settings, patience: Patience, show: Start) -> dict[str, Any]:
    from lakeshelf.stack.supervision import handover
    from lakeshelf.stack.supervision.supervisor import log_file, running_stack

    log = log_file(settings)
    begun = handover.size(log)
    child = handover.start("lakeshelf.stack.supervision.supervisor", [], settings, log)
    reached: dict[str, float] = {}
    while not patience.is_over(reached):
        status = running_stack(settings)
        if status.get("pid") == child.pid:
            show(status)
            reached = status["reached"]
            if status["state"] == "running":
                return status
        if child.poll() is not None:
            raise _refusal(child, log, begun)
        time.sleep(POLL_S)
    raise LakeshelfError(
        f"the stack is not ready, and came no further for {patience.longest:.0f} s; "
        "it goes on starting in the background",
        hint=f"see `lakeshelf status` and {log.parent}; `lakeshelf up` again does no harm, "
        "and --timeout waits longer",
    )


def _refusal(child: subprocess.Popen[bytes], log: Path, begun: int) -> LakeshelfError:
    from lakeshelf.stack.supervision import handover

    if line := handover.last_error(log, begun):
        return LakeshelfError(line)
    if not shutil.disk_usage(log.parent).free:  # so there is nothing in the log
        return LakeshelfError(f"{log.parent}: No space left on device", hint="free some space")
    return LakeshelfError(f"the stack ended with code {child.returncode}; see {log}")


def _stopped(status: dict[str, Any], timeout: float, show: Steps) -> None:
    import signal

    from lakeshelf.stack.machine.processes import ProcessId

    supervisor = ProcessId(status["pid"], status["started"])
    supervisor.send(signal.SIGTERM)
    deadline = time.monotonic() + timeout
    while supervisor.is_alive:
        show("down")
        if time.monotonic() > deadline:
            raise LakeshelfError(
                f"the stack (process {supervisor.pid}) still stops after {timeout:.0f} s",
                hint="run `lakeshelf down` again: a second signal kills it",
            )
        time.sleep(POLL_S)


def _report(status: dict[str, Any], settings: Settings, *, as_json: bool) -> None:
    if as_json:
        print_json(status)
        return
    table = grid("", "")
    add(table, "Kafka", status["bootstrap_servers"])
    add(table, "lake", status["lake"])
    add(table, "logs", settings.stack_dir.absolute() / "logs")
    add(table, "supervisor", f"process {status['pid']}, {status['state']}")
    for name, part in status["parts"].items():
        add(
            table,
            name,
            f"process {part['pid']}, {part['state']}, restarted {count_of(part['restarts'], 'time')}",
        )
    for meaning, value in _served(status, settings).items():
        add(table, meaning, value)
    for meaning, words in NEXT.items():
        add(table, meaning, access.command(words))
    console().print(table)
    if status["governed"]:
        parts.print_links(settings)
    if settings.bootstrap_servers:
        console().print("Kafka is not ours here: `lakeshelf down` leaves it running.")


def _served(status: Mapping[str, Any], settings: Settings) -> dict[str, str]:
    """Where governed datasets are served, and where the tokens of the sample people lie."""
    from lakeshelf.stack.supervision import governed

    if not status["governed"]:
        return {}
    place = {"API": governed.address(settings)}
    if not governed.has_sample(settings):
        return place
    return place | {"tokens": str(governed.tokens(settings))}
