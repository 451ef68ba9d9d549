"""`import` and `data export`: governed datasets and the files in which people edit them elsewhere."""

from __future__ import annotations

import shlex
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast, get_args

import typer

from lakeshelf.cli.console.output import AsJson, Steps, console, print_json, print_list
from lakeshelf.cli.governed.cells import paged
from lakeshelf.cli.governed.connecting import As, Name, dataset_of, name_of, next_command
from lakeshelf.cli.governed.printing import print_definition, print_proposed
from lakeshelf.counts import count_of
from lakeshelf.errors import ConfigurationError
from lakeshelf.governance.domain.editing.files import Format, Mode
from lakeshelf.governance.errors import GovernanceError, refused

if TYPE_CHECKING:
    from lakeshelf.governance.client import Dataset
    from lakeshelf.governance.client.uploads import Upload

CHUNK = 1024 * 1024
REFUSALS_SHOWN = 50
"""Cells that are refused, as people see them at once."""
Source = Annotated[Path, typer.Argument(metavar="FILE", help="CSV, XLSX, Parquet or JSON lines.")]
Into = Annotated[str, typer.Option("--dataset", help="Such as shelf_policies.")]
ByMode = Annotated[
    Mode,
    typer.Option(
        metavar="MODE",
        help="upsert: rows change by key; append: all are new; replace: they are all, so that others go.",
    ),
]
Title = Annotated[str, typer.Option(help="What it does; unset: the file's name.")]
Description = Annotated[str, typer.Option(help="Why.")]
LeaveOut = Annotated[
    bool, typer.Option("--leave-out", help="Take the rest where rows are refused.")
]
AtOnce = Annotated[
    bool, typer.Option("--merge-when-approved", help="Merge it as soon as it is approved.")
]
Create = Annotated[
    bool, typer.Option("--create", help="Make the dataset first, with the columns of the file.")
]
Keys = Annotated[
    list[str] | None,
    typer.Option(help="With --create: column that identifies a row; unset: keys are made."),
]
Declared = Annotated[
    list[str] | None,
    typer.Option(
        metavar="SETTING=VALUE", help="How its text is written, such as 'delimiter = \";\"'."
    ),
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Only show what it would do, and what is refused.")
]
STEPS = {"send": "sending {}", "load": "reading and judging it"}


@dataclass(frozen=True)
class LoadedFile:
    """What became of a file.

    Attributes:
        upload: The upload, with its report.
        refusals: Cells that were refused, as many as are shown.
        total: How many there are.
        made: The change request, as others see it; `request` is None where none was made.
    """

    upload: Mapping[str, Any]
    refusals: list[Any]
    total: int
    made: Mapping[str, Any]


def import_(
    file: Source,
    *,
    dataset: Into,
    mode: ByMode = "upsert",
    title: Title = "",
    description: Description = "",
    leave_out: LeaveOut = False,
    merge_when_approved: AtOnce = False,
    create: Create = False,
    key: Keys = None,
    declare: Declared = None,
    dry_run: DryRun = False,
    user: As = None,
    as_json: AsJson = False,
) -> None:
    """Propose the rows of a file as a change request; a file that was exported merges cell by cell."""
    said = {
        "title": title,
        "description": description,
        "leave_out": leave_out,
        "merge_when_approved": merge_when_approved,
        "dry_run": dry_run,
        "declared": declare or (),
    }
    steps = Steps({**STEPS, "send": STEPS["send"].format(file.name)})
    with dataset_of(user, dataset) as its_dataset, steps.shown():
        content = partial(_content, file, steps)
        if create:
            definition = its_dataset.project.infer(file.name, content, key or (), declare or ())
            if dry_run:
                print_definition(definition, as_json)
                return
            its_dataset.project.create_dataset(its_dataset.id, definition)
        with _creatable(its_dataset, file):
            upload = its_dataset.upload(file.name, content, mode)
        steps("load")
        loaded = _loaded(its_dataset, upload, said, None if as_json else REFUSALS_SHOWN)
    _print_loaded(loaded, as_json)
    if loaded.total and not leave_out:
        raise _refused(file, loaded.total)


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
        f"{target} has {count_of(size, 'byte')}. Edit it, then: `{again}`",
        markup=False,
        soft_wrap=True,
    )


def _content(file: Path, steps: Steps) -> Iterator[bytes]:
    """The file by pieces, while it is shown how far it is."""
    size, done = file.stat().st_size, 0
    with file.open("rb") as stream:
        while piece := stream.read(CHUNK):
            done += len(piece)
            steps("send", done, size)
            yield piece


@contextmanager
def _creatable(dataset: Dataset, file: Path) -> Iterator[None]:
    """Say how to make a dataset that is not there."""
    try:
        yield
    except GovernanceError as error:
        if error.code != "not_found":
            raise
        present = ", ".join(one["dataset"]["id"] for one in dataset.project.datasets())
        name = name_of(dataset.project.id, dataset.id)
        made = next_command(f"import {shlex.quote(str(file))} --dataset {name} --create")
        hint = f"make it with the columns of the file by `{made}`, or name one that is there: {present or 'none is'}"
        raise refused("not_found", error.message, hint=hint) from error


def _loaded(
    dataset: Dataset, upload: Upload, said: Mapping[str, Any], most: int | None
) -> LoadedFile:
    """What becomes of an upload, with the first of its refusals."""
    answer = upload.load(**said)
    refusals, total = paged(upload.refusals, "refusals", most)
    made: dict[str, Any] = {"request": None}
    request = answer["request"]
    if request is not None:
        made = dataset.project.request(request["number"]).get()
    return LoadedFile(answer["upload"], refusals, total, made)


def _print_loaded(loaded: LoadedFile, as_json: bool) -> None:
    if as_json:
        print_json({"upload": loaded.upload, "refusals": loaded.refusals, **loaded.made})
        return
    _print_refusals(loaded.refusals, loaded.total)
    report = loaded.upload["report"]
    if report["note"]:
        console().print(report["note"], markup=False, soft_wrap=True)
    if loaded.made["request"] is not None:
        print_proposed(loaded.made, as_json=False)
    elif counts := report.get("counts"):
        figures = ", ".join(f"{counts[name]:,} {name}" for name in counts)
        console().print(f"It has {count_of(report['rows'], 'row')}: {figures}.", soft_wrap=True)
    elif not loaded.total:
        rows = count_of(report["rows"], "row")
        console().print(f"Nothing would change: the dataset has the {rows}.")


def _print_refusals(refusals: list[Any], total: int) -> None:
    columns = ("line", "row_id", "column", "value", "message")
    if total:
        listed = [{name: one[name] for name in columns} for one in refusals]
        print_list(listed, len(listed), "cells", as_json=False, right=("line",))
    if total > len(refusals):
        console().print(f"{len(refusals):,} of {total:,} refused cells; --json has all")


def _refused(file: Path, total: int) -> GovernanceError:
    return refused(
        "upload_invalid",
        f"{file.name} has {count_of(total, 'refused cell')}, so there is no change request",
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
