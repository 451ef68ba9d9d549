"""`import` and `data export`: governed datasets and the files in which people edit them elsewhere."""

from __future__ import annotations

import shlex
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast, get_args

import typer

from lakeshelf.cli.console.output import AsJson, Steps, console, print_json, print_list
from lakeshelf.cli.governed.cells import paged
from lakeshelf.cli.governed.connecting import As, Name, dataset_of, next_command
from lakeshelf.cli.governed.printing import print_definition, print_proposed
from lakeshelf.errors import ConfigurationError
from lakeshelf.governance.domain.editing.files import Format, Mode
from lakeshelf.governance.errors import GovernanceError, refused

if TYPE_CHECKING:
    from lakeshelf.governance.client import Dataset

CHUNK = 1024 * 1024
REFUSALS_SHOWN = 50
"""Cells that are refused, as people see them at once."""
STEPS = {"send": "sending {}", "load": "reading and judging it"}


def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV, XLSX, Parquet or JSON lines.")],
    *,
    dataset: Annotated[str, typer.Option(help="Such as shelf_policies.")],
    mode: Annotated[
        Mode,
        typer.Option(
            help="Rows change by key; are new; or are all that there are, so that others go."
        ),
    ] = "upsert",
    title: Annotated[str, typer.Option(help="What it does; unset: the file's name.")] = "",
    description: Annotated[str, typer.Option(help="Why.")] = "",
    leave_out: Annotated[
        bool, typer.Option("--leave-out", help="Take the rest where rows are refused.")
    ] = False,
    merge_when_approved: Annotated[
        bool, typer.Option("--merge-when-approved", help="Merge it as soon as it is approved.")
    ] = False,
    create: Annotated[
        bool,
        typer.Option("--create", help="Make the dataset first, with the columns of the file."),
    ] = False,
    key: Annotated[
        list[str] | None,
        typer.Option(help="With --create: column that identifies a row; unset: keys are made."),
    ] = None,
    declare: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SETTING=VALUE", help="How its text is written, such as 'delimiter = \";\"'."
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what it would do, and what is refused.")
    ] = False,
    user: As = None,
    as_json: AsJson = False,
) -> None:
    """Propose the rows of a file as a change request; a file that was exported merges cell by cell."""
    steps = Steps({**STEPS, "send": STEPS["send"].format(file.name)})
    with dataset_of(user, dataset) as its_dataset, steps.shown():
        if create:
            definition = its_dataset.project.infer(
                file.name, lambda: _content(file, steps), key or (), declare or ()
            )
            if dry_run:
                print_definition(definition, as_json)
                return
            its_dataset.project.create_dataset(its_dataset.id, definition)
        upload = its_dataset.upload(file.name, lambda: _content(file, steps), mode)
        steps("load")
        loaded = upload.load(
            title,
            description,
            leave_out=leave_out,
            merge_when_approved=merge_when_approved,
            dry_run=dry_run,
            declared=declare or (),
        )
        most = None if as_json else REFUSALS_SHOWN
        refusals, total = paged(upload.refusals, "refusals", most)
        made = _made(its_dataset, loaded)
    if as_json:
        print_json({"upload": loaded["upload"], "refusals": refusals, **made})
    else:
        _print_loaded(loaded["upload"], refusals, total, made)
    if total and not leave_out:
        raise _refused(file, total)


def export(
    name: Name,
    file: Annotated[
        Path | None,
        typer.Argument(metavar="[FILE]", help="Where it goes; unset: DATASET-VERSION.FORMAT here."),
    ] = None,
    *,
    format_: Annotated[
        Format | None, typer.Option("--format", help="Unset: as the file's name ends, else csv.")
    ] = None,
    version: Annotated[int | None, typer.Option(help="As it was; unset: the newest.")] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a file that is there.")
    ] = False,
    user: As = None,
    as_json: AsJson = False,
) -> None:
    """Write a dataset into a file, which knows its version: edit it, and import it again."""
    format_ = format_ or _format_of(file)
    folder = Path() if file is None else file.parent
    _require_free(file, overwrite=overwrite)
    with dataset_of(user, name) as dataset, tempfile.TemporaryDirectory(dir=folder) as spool:
        part = Path(spool) / "part"
        with part.open("wb") as sink:
            sent_name = dataset.export(sink, format_, version)
        target = folder / sent_name if file is None else file
        _require_free(target, overwrite=overwrite)
        part.replace(target)
    size = target.stat().st_size
    if as_json:
        print_json({"file": str(target), "bytes": size})
        return
    again = next_command(f"import {shlex.quote(str(target))} --dataset {name}")
    console().print(
        f"{target} has {size:,} bytes. Edit it, then: `{again}`", markup=False, soft_wrap=True
    )


def _content(file: Path, steps: Steps) -> Iterator[bytes]:
    """The file by pieces, while it is shown how far it is."""
    size, done = file.stat().st_size, 0
    with file.open("rb") as stream:
        while piece := stream.read(CHUNK):
            done += len(piece)
            steps("send", done, size)
            yield piece


def _made(dataset: Dataset, loaded: Mapping[str, Any]) -> dict[str, Any]:
    """The change request that was made, as others see it; nothing where none was."""
    request = loaded["request"]
    if request is None:
        return {"request": None}
    return dataset.project.request(request["number"]).get()


def _print_loaded(
    upload: Mapping[str, Any], refusals: list[Any], total: int, made: Mapping[str, Any]
) -> None:
    columns = ("line", "row_id", "column", "value", "message")
    if total:
        listed = [{name: one[name] for name in columns} for one in refusals]
        print_list(listed, len(listed), "cells", as_json=False, right=("line",))
        if total > len(refusals):
            console().print(f"{len(refusals):,} of {total:,} refused cells; --json has all")
    report = upload["report"]
    if report["note"]:
        console().print(report["note"], markup=False, soft_wrap=True)
    if made["request"] is not None:
        print_proposed(made, as_json=False)
    elif counts := report.get("counts"):
        figures = ", ".join(f"{counts[name]:,} {name}" for name in counts)
        console().print(f"It has {report['rows']:,} rows: {figures}.", soft_wrap=True)
    elif not total:
        console().print(f"Nothing would change: the dataset has the {report['rows']:,} rows.")


def _refused(file: Path, total: int) -> GovernanceError:
    return refused(
        "upload_invalid",
        f"{total:,} cells of {file.name} are refused, so there is no change request",
        hint="correct them, or give --leave-out to propose the rest",
    )


def _require_free(file: Path | None, *, overwrite: bool) -> None:
    if file is not None and file.exists() and not overwrite:
        raise ConfigurationError(
            f"{file} is there", hint="give --overwrite to replace it, or another name"
        )


def _format_of(file: Path | None) -> Format:
    ending = "csv" if file is None else file.suffix.lower().removeprefix(".")
    if ending not in get_args(Format):
        raise ConfigurationError(
            f"the name {file} says no format", hint=f"give --format {', '.join(get_args(Format))}"
        )
    return cast("Format", ending)
