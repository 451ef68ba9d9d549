# ruff: noqa: PLC0415 - what is heavy is imported by the command that needs it
"""`models`: versions that forecast, what they are worth, and which one decides."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lakeshelf.cli.console import access
from lakeshelf.cli.console.output import AsJson, Steps, Yes, agreed, console, print_json
from lakeshelf.cli.shop import models_report as report
from lakeshelf.cli.shop.people import Actor, Reason
from lakeshelf.errors import ConfigurationError

if TYPE_CHECKING:
    from lakeshelf.forecast.versions.registered import Change
    from lakeshelf.forecast.versions.registry import Attribution, Model
    from lakeshelf.lake import Lake

app = typer.Typer(help="Models that forecast demand: train, judge, promote, roll back.")

Version = Annotated[str, typer.Argument(metavar="VERSION", help="The version, as `list` has it.")]
Either = Annotated[
    str | None,
    typer.Argument(
        metavar="[VERSION]", help="The version; none: the champion, else the newest one."
    ),
]


@app.command("list")
def list_(*, as_json: AsJson = False) -> None:
    """List the versions, the newest first, with the gates that they passed."""
    report.print_models(_newest_first(_lake()), as_json)


@app.command("show")
def show(
    version: Either = None,
    *,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="As a page in Markdown, to keep or to pass on.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show the card of a version: what it read, its scores against the baselines, and what each gate says."""
    from lakeshelf.forecast.versions import registered

    lake = _lake()
    model = _chosen(lake, version)
    card = registered.version(lake, model.model_version).card
    if markdown:
        report.print_page(card)
    else:
        report.print_card(model, card, as_json)


@app.command("train")
def train(
    *,
    until: Annotated[
        str | None,
        typer.Option(
            metavar="DAY", help="Read nothing from this day on; unset: the last receipt's."
        ),
    ] = None,
    actor: Actor,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Train a version on the receipts of the lake, try it beside the baselines, and keep it as candidate."""
    from lakeshelf.cli.shop.whatif import day
    from lakeshelf.forecast.training import training, trials

    today = day("--until", until)
    lake = _lake(actor)
    with Steps(training.STEPS).shown() as progress:
        act, work = _act(actor, reason or "trained by command"), trials.Work(progress=progress)
        version = training.train(lake, training.TrainingRequest(act, today, work))
    model = _chosen(lake, version.card.model_version)
    report.print_card(model, version.card, as_json)


@app.command("import")
def import_(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A version as a folder.")],
    *,
    actor: Actor,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Take a version that was trained elsewhere, judge it on the newest weeks here, and keep it as candidate."""
    from lakeshelf.forecast.training import importing, training, trials

    lake = _lake(actor)
    with Steps(importing.STEPS).shown() as progress:
        act = _act(actor, reason or "imported by command")
        request = training.TrainingRequest(act, work=trials.Work(progress=progress))
        version = importing.imported(lake, folder, request)
    model = _chosen(lake, version.card.model_version)
    report.print_card(model, version.card, as_json)


@app.command("verify")
def verify(version: Either = None, *, as_json: AsJson = False) -> None:
    """Check the files of a version against their hashes, and train it once more from what it read."""
    from lakeshelf.forecast.training import training, verifying
    from lakeshelf.forecast.versions import registered

    lake = _lake()
    model = _chosen(lake, version)
    kept = registered.version(lake, model.model_version)
    training.ready()
    with Steps(verifying.STEPS).shown() as progress:
        verdict = verifying.verify(lake, kept, progress)
    report.print_verdict(verdict, as_json)
    if not verdict.equal:
        raise typer.Exit(1)


@app.command("promote")
def promote(
    version: Version,
    *,
    actor: Actor,
    reason: Reason = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Take a version one step up: a candidate becomes challenger, a challenger champion.

    A version that did not pass every gate, or whose files were changed, is refused.
    """
    from lakeshelf.forecast.versions import registered

    act = _act(actor, reason or "promoted by command")
    _change(actor, registered.looked_through(_lake(), version, act), yes, as_json)


@app.command("rollback")
def rollback(
    *, actor: Actor, reason: Reason = None, yes: Yes = False, as_json: AsJson = False
) -> None:
    """Retire the champion; the one that it replaced decides again, or else the rule."""
    from lakeshelf.forecast.versions import registry

    act = _act(actor, reason or "rolled back by command")
    _change(actor, lambda known: registry.rollback(known, act), yes, as_json)


@app.command("retire")
def retire(
    version: Version,
    *,
    for_good: Annotated[
        bool, typer.Option("--for-good", help="Refuse it: it never decides again.")
    ] = False,
    actor: Actor,
    reason: Reason = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Take a version out of use; of the champion, the rule decides then."""
    from lakeshelf.forecast.versions import registry

    act = _act(actor, reason or f"{'refused' if for_good else 'retired'} by command")
    step = registry.refuse if for_good else registry.retire
    _change(actor, lambda known: step(known, version, act), yes, as_json)


@app.command("compare")
def compare(one: Version, other: Version, *, as_json: AsJson = False) -> None:
    """Compare two versions: scores by segment, gates, and how they were trained."""
    from lakeshelf.forecast.versions import registered

    lake = _lake()
    cards = [registered.version(lake, name).card for name in (one, other)]
    report.print_comparison(cards[0], cards[1], as_json)


def _change(actor: str, do: Change, yes: bool, as_json: bool) -> None:
    """Show what an act would change, ask, and carry it out."""
    from lakeshelf.forecast.versions import registered

    lake = _lake(actor)
    planned = do(registered.read(lake).registry)
    if not as_json:
        report.print_acts(planned)
    agreed("Do it?", yes, "nothing was changed; give --yes to agree")
    changed = registered.change(lake, do)
    if as_json:
        print_json([model.row() for model in changed])
    else:
        console().print("Done. Next: `lakeshelf models list`")


def _lake(who: str | None = None) -> Lake:
    """The lake in force, whose tables of models can be written."""
    from lakeshelf.forecast.versions import registered

    return registered.writer(access.present().lake_root, who)


def _act(actor: str, reason: str) -> Attribution:
    from lakeshelf.forecast.versions.registry import Attribution

    return Attribution(actor, datetime.now(UTC), reason)


def _newest_first(lake: Lake) -> list[Model]:
    from lakeshelf.forecast.versions import registered

    models = registered.read(lake).registry.models.values()
    return sorted(models, key=lambda one: (one.created_at, one.model_version), reverse=True)


def _chosen(lake: Lake, version: str | None) -> Model:
    """A version by its name; the champion, else the newest one, where none is named."""
    from lakeshelf.forecast.versions import registered

    registry = registered.read(lake).registry
    if version is not None:
        return registry.model(version)
    chosen = registry.champion or next(iter(_newest_first(lake)), None)
    if chosen is None:
        raise ConfigurationError(
            "there are no versions", hint="train one: `lakeshelf models train`"
        )
    return chosen
