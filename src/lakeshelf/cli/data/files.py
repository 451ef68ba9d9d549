# ruff: noqa: PLC0415 - what is heavy is imported by the command that needs it
"""`lakeshelf files`: files that are loaded into datasets, and what became of each."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lakeshelf.cli.console import completion
from lakeshelf.cli.console.listings import known
from lakeshelf.cli.console.output import All, AsJson, Most, Steps, console, most, print_json, rows
from lakeshelf.cli.data.lake_options import DryRun, dataset, opened
from lakeshelf.counts import count_is, count_of
from lakeshelf.errors import ConfigurationError

if TYPE_CHECKING:
    from lakeshelf.ingestion import File, Scan

IN_PART = 2
SHOWN, WHOLE = 100, 1_000
"""Characters of a value in a list, and where it stands alone."""
app = typer.Typer(help="Files of bronze/ and uploads, and the rows that they became.")

Settle = Annotated[
    float,
    typer.Option("--settle", min=0, help="Seconds without a change after which a file is whole."),
]
Datasets = Annotated[
    list[str] | None, typer.Option("--dataset", help="Only files of this dataset; may be repeated.")
]
FileIds = Annotated[list[int] | None, typer.Argument(help="Files; none: all that can be retried.")]
STEPS = {
    "look": "Looking at bronze/",
    "register": "Registering files",
    "load": "Loading files",
    "wait": "Waiting for other workers",
    "rebuild": "Reading files again",
}


@app.command("scan")
def scan(
    *,
    datasets: Datasets = None,
    settle: Settle = 1.0,
    no_wait: Annotated[
        bool, typer.Option("--no-wait", help="Do not wait for files that other workers have.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Load what is new in bronze/. Several processes may do it at once: they share the files."""
    from lakeshelf.ingestion import services

    lake = opened()
    named = _known(lake, datasets)
    with Steps(STEPS).shown() as progress, _until_interrupted() as stopped:
        done = services.scan(
            lake,
            datasets=named,
            settle=timedelta(seconds=settle),
            wait=not no_wait,
            pause=stopped.wait,
            stop=stopped.is_set,
            progress=progress,
        )
    _report(done, as_json)
    raise typer.Exit(0 if done.is_complete else IN_PART)


@app.command("watch")
def watch(
    *,
    datasets: Datasets = None,
    settle: Settle = 1.0,
    interval: Annotated[float, typer.Option(min=0.1, help="Seconds between two looks.")] = 5.0,
    as_json: AsJson = False,
) -> None:
    """Load what comes into bronze/ until Ctrl-C, which ends after the batch."""
    from lakeshelf.ingestion import services

    with _until_interrupted() as stopped:
        services.watch(
            opened(),
            lambda done: _report(done, as_json),
            datasets=[dataset(name) for name in datasets or ()],
            settle=timedelta(seconds=settle),
            interval=interval,
            pause=stopped.wait,
            stop=stopped.is_set,
        )


@app.command("upload")
def upload(
    name: Annotated[
        str, typer.Argument(help="Folder below bronze/, or dataset of that name in silver.")
    ],
    files: Annotated[list[Path], typer.Argument(help="Files to load.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Keep files in bronze/ and load them; the same name with the same content is loaded once."""
    from lakeshelf.ingestion import services

    lake = opened(made=True)
    contents = [(file.name, _content(file)) for file in files]
    kept = [services.upload(lake, _folder(name), own, content) for own, content in contents]
    with Steps(STEPS).shown() as progress:
        services.scan(lake, datasets={file.dataset for file in kept}, progress=progress)
    ended = _files(lake, [("file_id", "in", [file.file_id for file in kept])])
    _show_files(ended, as_json, len(ended))
    raise typer.Exit(_code(ended))


@app.command("list")
def list_(
    *,
    status: Annotated[
        str | None,
        typer.Option(
            "--status", help="Only files in this state.", autocompletion=completion.file_states
        ),
    ] = None,
    datasets: Datasets = None,
    limit: Most = None,
    every: All = False,
    as_json: AsJson = False,
) -> None:
    """List files, the newest first: state, rows, why nothing was loaded."""
    from lakeshelf.ingestion.domain.manifest import ENDED, WAITING

    known("state", status, (*WAITING, *ENDED))
    lake = opened()
    where: list[Any] = [("status", "=", status)] if status else []
    if named := _known(lake, datasets):
        where.append(("dataset", "in", named))
    files = _files(lake, where)[::-1]
    _show_files(files[: most(limit, every, as_json)], as_json, len(files))


@app.command("show")
def show(
    file_id: Annotated[int, typer.Argument(help="Number of the file.")],
    *,
    limit: Most = None,
    every: All = False,
    as_json: AsJson = False,
) -> None:
    """Show one file: its state, and the rows of it that were refused."""
    from lakeshelf.ingestion.domain.rules import RULES
    from lakeshelf.ingestion.io.rejects import Rejects
    from lakeshelf.lake.place.errors import NotFound

    lake = opened()
    files = _files(lake, [("file_id", "=", file_id)])
    if not files:
        raise NotFound(f"no file {file_id}", hint="`lakeshelf files list` lists them")
    refused = Rejects(lake).of([file_id])
    shown = refused[: most(limit, every, as_json)]
    if as_json:
        print_json(vars(files[0]) | {"refused": shown, "refused_total": len(refused)})
        return
    values = {n: _shown(value, WHOLE) for n, value in vars(files[0]).items() if value is not None}
    console().print(rows([{"": name, " ": value} for name, value in values.items()]))
    if not refused:
        return
    console().print(rows([_refused(row) for row in shown], right=("line",)))
    for rule in sorted({row["rule"] for row in shown}):
        console().print(f"{rule}: {RULES[rule]}")
    if len(refused) > len(shown):
        console().print(f"{len(shown):,} of {len(refused):,} refusals; --all shows them")
    if any(row["resolved_at"] is None for row in refused):
        console().print(
            f"Correct the declaration and `lakeshelf files retry {file_id}`, or the file and scan"
        )


@app.command("retry")
def retry(
    file_ids: FileIds = None,
    *,
    datasets: Datasets = None,
    force: Annotated[
        bool,
        typer.Option("--force", help="Load the named files again in whatever state they ended."),
    ] = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Try files again that failed, and rows that were refused; --force replaces the rows of a file."""
    from lakeshelf.ingestion import services

    if force and not file_ids:
        raise ConfigurationError("--force needs files", hint="name them: files retry --force 12")
    lake = opened()
    named = _known(lake, datasets)
    if dry_run:
        files = services.retried(lake, file_ids or (), datasets=named, force=force)
        _show_files(files, as_json, len(files))
        return
    with Steps(STEPS).shown() as progress:
        if force:
            ended = services.force(lake, file_ids or (), progress=progress)
        else:
            ended = services.retry(lake, file_ids or (), datasets=named, progress=progress)
    _show_files(ended, as_json, len(ended))
    raise typer.Exit(_code(ended))


@app.command("rebuild")
def rebuild(
    name: Annotated[str, typer.Argument(help="Dataset: `layer/name` or `layer.name`.")],
    *,
    dry_run: DryRun = False,
    drop_gone: Annotated[
        bool, typer.Option("--drop-gone", help="Lose the rows of files that are no longer there.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make what lies in bronze/ the only rows of a dataset."""
    from lakeshelf.ingestion import services

    with Steps(STEPS).shown() as progress:
        done = services.rebuild(
            opened(), dataset(name), dry_run=dry_run, drop_gone=drop_gone, progress=progress
        )
    summary = done.as_json()
    if as_json:
        print_json(summary)
    else:
        gone = summary.pop("gone")
        console().print(
            rows([summary], right=("files", "rows_before", "rows_loaded", "rows_refused"))
        )
        _show_some(
            [f"gone: {one['path']}, {count_of(one['rows'], 'row')}" for one in gone], "files"
        )
    refused = any(file.status != "success" for file in done.files)
    raise typer.Exit(IN_PART if refused and not dry_run else 0)


@contextmanager
def _until_interrupted() -> Iterator[threading.Event]:
    """An event that Ctrl-C and SIGTERM set, so that the batch in hand is ended."""
    stopped = threading.Event()
    before = {
        number: signal.signal(number, lambda *_: stopped.set())
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield stopped
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _report(done: Scan, as_json: bool) -> None:
    summary = done.as_json()
    if as_json:
        print_json(summary)
        return
    ended = ", ".join(f"{count:,} {status}" for status, count in sorted(summary["files"].items()))
    console().print(
        f"{count_of(done.registered, 'file')} found; {ended or 'none to load'}; "
        f"{count_of(summary['rows_loaded'], 'row')} loaded, {summary['rows_refused']:,} refused"
    )
    refused = [
        f"waits: {count_of(count, 'file')} of {folder}: {why}"
        for folder, (why, count) in done.refused.items()
    ]
    _show_some(refused, "folders that wait")
    alone = [one for one in done.waiting if not one.folder]
    _show_some([f"waits: {_shown(one.path)}: {one.why}" for one in alone], "files that wait")
    left_out = [f"{one['path']}: {one['what']}" for one in summary["left_out"]]
    _show_some(left_out, "files of which something was left out")
    if done.elsewhere:
        console().print(f"{count_is(done.elsewhere, 'file')} with other workers")
    if wrong := sorted(set(summary["files"]) - {"success"}):
        console().print(f"Look: `lakeshelf files list --status {wrong[0]}`{_others(wrong[1:])}")


def _others(statuses: Sequence[str]) -> str:
    return f" (or {', '.join(statuses)})" if statuses else ""


def _show_some(lines: Sequence[str], what: str) -> None:
    for line in lines[:SHOWN]:
        console().print(line)
    if len(lines) > SHOWN:
        console().print(f"{SHOWN:,} of {len(lines):,} {what}")


def _show_files(files: Sequence[File], as_json: bool, total: int) -> None:
    if as_json:
        print_json([vars(file) for file in files])
        return
    if not files:
        console().print("No files.")
        return
    listed = [
        {
            "file": file.file_id,
            "dataset": file.dataset,
            "path": _shown(file.path),
            "state": file.status,
            "attempt": file.attempt,
            "loaded": file.rows_loaded,
            "refused": file.rows_refused,
            "error": _shown(file.error, WHOLE) if file.error else None,
        }
        for file in files
    ]
    console().print(rows(listed, right=("file", "attempt", "loaded", "refused")))
    if total > len(files):
        console().print(f"{len(files):,} of {total:,} files; --all shows them")


def _refused(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "line": row["file_line"],
        "rule": row["rule"],
        "column": row["column"],
        "value": None if row["value"] is None else _shown(row["value"]),
        "row": _shown(row["row"]),
        "resolved": row["resolved_at"] and f"{row['resolved_at']:%Y-%m-%d %H:%M:%S}",
    }


def _shown(value: Any, most: int = SHOWN) -> str:
    """Text of a file; a long one is cut, and its length told."""
    text = str(value)
    return text if len(text) <= most else f"{text[:most]}… ({len(text):,} characters)"


def _files(lake: Any, where: Sequence[Any]) -> list[File]:
    from lakeshelf.ingestion.io.manifest import Manifest

    return Manifest(lake).files(list(where) or None)


def _known(lake: Any, datasets: Sequence[str] | None) -> list[str]:
    """Datasets that are named; one that no file is for is an error with its neighbours."""
    from lakeshelf.ingestion import services
    from lakeshelf.lake.place.names import unknown

    named = [dataset(name) for name in datasets or ()]
    existing = services.known_datasets(lake) if named else set()
    for name in named:
        if name not in existing:
            raise unknown(name, existing)
    return named


def _folder(name: str) -> str:
    return dataset(name).removeprefix("silver/").removeprefix("bronze/")


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise ConfigurationError(
            f"{file} cannot be read: {error.strerror}", hint="name a file that is there"
        ) from error


def _code(files: Sequence[File]) -> int:
    return 0 if all(file.status == "success" for file in files) else IN_PART
