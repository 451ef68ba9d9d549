# ruff: noqa: PLC0415 - what is heavy is imported by the command that needs it
"""`jobs`: which there are, write a new one, run some, accept lost records."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from lakeshelf.cli.console import access, completion
from lakeshelf.cli.console.output import (
    All,
    AsJson,
    Most,
    console,
    most,
    print_json,
    print_list,
    rows,
)
from lakeshelf.cli.console.terminal import inert
from lakeshelf.errors import LakeshelfError

if TYPE_CHECKING:
    from lakeshelf.stack.supervision.submission import DeployMode, SparkSubmission

app = typer.Typer(help="Streaming jobs.")
Names = Annotated[
    list[str] | None,
    typer.Argument(help="Names of jobs; none: all.", autocompletion=completion.jobs),
]
Committer = Annotated[str | None, typer.Option(help="`driver`, `spark`, or by `size`.")]
Master = Annotated[
    str, typer.Option(help="spark://HOST:7077, yarn, k8s://https://HOST:6443 or local[4].")
]
Mode = Annotated[
    Literal["client", "cluster"],
    typer.Option("--deploy-mode", help="Where the driver runs: here, or inside the cluster."),
]
Image = Annotated[str | None, typer.Option(help="Image of containers, for Kubernetes.")]
Home = Annotated[
    Path | None,
    typer.Option(
        "--driver-home",
        help="Checkout where a driver inside the cluster runs, such as /opt/lakeshelf of the image; unset: this one's.",
    ),
]
Properties = Annotated[
    list[str] | None, typer.Option("--conf", help="A property of Spark, NAME=VALUE.")
]


@app.command("list")
def list_(*, limit: Most = None, every: All = False, as_json: AsJson = False) -> None:
    """List the jobs, whose SQL is checked: the query that each is part of, what it reads, keeps and publishes.

    Where those of a project cannot be read, the product's are listed all the same, and it ends with the error.
    """
    from lakeshelf.contracts import project
    from lakeshelf.streams.declare import binding, plan, registry

    settings = access.plain()
    failure: LakeshelfError | None = None
    try:
        project.include(settings.project)
        jobs = registry.discover(*settings.homes)
    except LakeshelfError as error:
        if settings.project is None:
            raise
        failure, jobs = error, registry.discover(settings.home)
    for job in jobs.values():
        binding.bind(job)
    plans = plan.plan(jobs.values())
    listed: list[dict[str, Any]] = [
        {
            "job": job.name,
            "query": query.name,
            "reads": list(job.reads),
            "keeps": list(job.tables),
            "publishes": list(job.publishes),
            "doc": job.doc,
        }
        for query in plans
        for job in query.jobs
    ]
    shown = sorted(listed, key=lambda job: str(job["job"]))[: most(limit, every, as_json)]
    print_list(shown, len(listed), "jobs", as_json)
    if failure is not None:
        raise failure


@app.command("new")
def new(
    name: Annotated[str, typer.Argument(help="Its name, such as visits-by-day.")],
    *,
    topic: Annotated[str, typer.Option(help="Topic whose events it counts.")] = "foot_traffic",
    as_json: AsJson = False,
) -> None:
    """Write a job that runs: it counts events of a topic by store, type and day, in a table of its own."""
    from lakeshelf.cli.platform import scaffolding

    job = scaffolding.App(scaffolding.JOB, name, topic)
    scaffolding.show(scaffolding.new(access.settings(), job), as_json=as_json)


@app.command("run")
def run(
    names: Names = None,
    *,
    committer: Committer = None,
    master: Annotated[
        str | None, typer.Option(help="Where Spark runs; `submit` leaves it to spark-submit.")
    ] = None,
) -> None:
    """Run jobs in this process until Ctrl-C, which stops at a batch boundary; twice kills."""
    from lakeshelf.contracts import CATALOG
    from lakeshelf.errors import ConfigurationError
    from lakeshelf.kafka import topics
    from lakeshelf.stack.embedded.clients import running_client
    from lakeshelf.stack.supervision import submission
    from lakeshelf.streams.declare import binding, registry

    settings = access.settings(committer=committer)
    if master is not None and master != "submit":
        submission.require_known(master)
    binding.require_bound(registry.select(registry.discover(*settings.homes), names or ()))
    client = running_client(settings)
    topic_names = [topic.name for topic in CATALOG.topics.values()]
    if missing := [
        name for name, ends in topics.end_offsets(client, topic_names).items() if not ends
    ]:
        raise ConfigurationError(
            f"topic {missing[0]} is not there", hint="run `lakeshelf bootstrap`"
        )
    from lakeshelf.stack.supervision import driving, handover

    handover.begin_log("streams", settings, printed=True)
    place = None if master == "submit" else (master or driving.LOCAL_MASTER)
    driving.run(settings, names or (), master=place)


@app.command("conf")
def conf(
    names: Names = None,
    *,
    master: Master,
    mode: Mode = "client",
    image: Image = None,
    driver_home: Home = None,
    committer: Committer = None,
    properties: Properties = None,
    as_json: AsJson = False,
) -> None:
    """Print what spark-submit has to be told, as a file of properties that begins with its command."""
    submission = _submission(names, master, mode, image, driver_home, committer, properties)
    if as_json:
        print_json(
            {
                "command": submission.command("lakeshelf.properties"),
                "environment": submission.environment,
                "properties": submission.properties,
            }
        )
    else:
        typer.echo(inert(submission.text(), keep="\n"), nl=False)


@app.command("submit")
def submit(
    names: Names = None,
    *,
    master: Master,
    mode: Mode = "client",
    image: Image = None,
    driver_home: Home = None,
    committer: Committer = None,
    properties: Properties = None,
) -> None:
    """Run jobs by spark-submit until Ctrl-C, which stops at a batch boundary; `jobs conf` shows what it is told."""
    submission = _submission(names, master, mode, image, driver_home, committer, properties)
    submission.run()


def _submission(
    names: list[str] | None,
    master: str,
    mode: DeployMode,
    image: str | None,
    home: Path | None,
    committer: str | None,
    properties: list[str] | None,
) -> SparkSubmission:
    from lakeshelf.stack.supervision.submission import SparkSubmission, parsed
    from lakeshelf.streams.declare import registry

    settings = access.settings(committer=committer)
    registry.select(registry.discover(*settings.homes), names or ())
    more = parsed(properties or ())
    return SparkSubmission(settings, master, tuple(names or ()), mode, image, home, more)


@app.command("accept-gap")
def accept_gap(
    query: Annotated[str, typer.Argument(help="Name of a query or job.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Go on behind records that retention deleted before a query read them; the stack must be down.

    The embedded broker is started for as long as it takes.
    """
    from lakeshelf.stack.supervision.supervisor import kafka_for
    from lakeshelf.streams.declare import registry
    from lakeshelf.streams.recover import recovery

    settings = access.present()
    jobs = registry.discover(*settings.homes).values()
    recovery.require_stopped(settings, jobs)
    with kafka_for(settings, "lakeshelf jobs accept-gap") as client:
        lost = recovery.accept_gap(settings, jobs, client, query)
    gaps = [
        {"topic": topic, "partition": p, "from": start, "until": end, "records": end - start}
        for topic, parts in lost.items()
        for p, (start, end) in parts.items()
    ]
    if as_json:
        print_json(gaps)
    elif gaps:
        console().print(rows(gaps, right=("partition", "from", "until", "records")))
        console().print(
            "These records are lost and noted in ops/batch_ledger. Next: `lakeshelf up`"
        )
    else:
        console().print(f"Nothing is lost for {query}.")
