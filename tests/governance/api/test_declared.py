"""However it is declared that a file is written, it is read so, or refused in the one shape, and nothing is left."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fastapi import FastAPI
from httpx import Response
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lakeshelf.governance.errors import CODES, GovernanceError, refused
from lakeshelf.governance.services.imports import uploading
from lakeshelf.governance.services.imports.declaring import dialect_of
from lakeshelf.ingestion.declared.dialect import ENCODINGS, GROUPS, POINTS, QUOTES, SETTINGS
from lakeshelf.ingestion.formats import csv_rows
from tests.governance.api.people import DATA, ROW, Person, code
from tests.governance.services.imports.filing import workbook

pytestmark = pytest.mark.timeout(1_800)
PROJECT = "/api/v1/projects/retail"
NAMES = ("shelf_id", *ROW)
ZONES = ("UTC", "Europe/Berlin", "Nowhere/At_All", "../etc/passwd", "\0", "")
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=4)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "delimiter": st.sampled_from([*",;|\t '\"\0\r\n§€\u2028"]) | TEXT,
    "quote": st.sampled_from(QUOTES) | TEXT,
    "encoding": st.sampled_from((*ENCODINGS, "idna", "rot13", "hex", "utf-7", "UTF8", "\0")) | TEXT,
    "header": st.integers(-1, 5) | st.integers(),
    "sheet": st.sampled_from(["Sheet", "Policies", "_lakeshelf", ""]) | TEXT,
    "decimal": st.sampled_from(POINTS) | TEXT,
    "thousands": st.sampled_from(GROUPS) | TEXT,
    "nulls": st.lists(st.sampled_from(["", "NA", "null", "30"]) | TEXT, max_size=3),
    "assume_zone": st.sampled_from(ZONES) | TEXT,
}
OTHER: st.SearchStrategy[Any] = st.one_of(
    st.booleans(), st.integers(), st.floats(), TEXT, st.lists(st.integers(), max_size=2)
)


def as_toml(value: Any) -> str:
    if isinstance(value, float):
        return str(value)
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def line(name: str) -> st.SearchStrategy[str]:
    """A setting as it is declared: most often of the right type."""
    values = st.one_of(VALUES[name], VALUES[name], VALUES[name], OTHER)
    return values.map(lambda value: f"{name} = {as_toml(value)}"[:200])


LINES = st.one_of(
    *map(line, SETTINGS),
    TEXT,
    st.sampled_from(
        ["[" * 200, f"a = {'[' * 190}", "a." * 90 + "a = 1", "a = 1979-05-27", "[[a]]"]
    ),
)
DECLARED = st.lists(LINES, max_size=4)


def cells(number: int) -> dict[str, str]:
    values = {**ROW, "threshold_pct": ("30", "1.030,5")[number % 2], "active": "true"}
    return {"shelf_id": f"S{number}", **{name: str(value) for name, value in values.items()}}


def csv(delimiter: str, quote: str, encoding: str, rows: int) -> bytes:
    lines = [NAMES, *(tuple(cells(n).values()) for n in range(rows))]
    text = "\n".join(delimiter.join(f"{quote}{v}{quote}" for v in one) for one in lines)
    return text.encode(encoding, "replace")


def parquet(rows: int) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist([cells(n) for n in range(rows)]), sink)
    return sink.getvalue()


def jsonl(rows: int, encoding: str) -> bytes:
    return "\n".join(json.dumps(cells(n)) for n in range(rows)).encode(encoding, "replace")


ROWS = st.integers(0, 3)
TABLES = st.builds(
    csv, VALUES["delimiter"], st.sampled_from(QUOTES), st.sampled_from(ENCODINGS), ROWS
)
WORKBOOK = workbook([NAMES, *(list(cells(n).values()) for n in range(2))], hidden=[["x"]])
FILES = st.one_of(
    st.tuples(st.just("a.csv"), TABLES),
    st.tuples(st.just("a.jsonl"), st.builds(jsonl, ROWS, st.sampled_from(ENCODINGS))),
    st.tuples(st.just("a.parquet"), ROWS.map(parquet)),
    st.tuples(st.just("a.xlsx"), st.just(WORKBOOK)),
    st.tuples(st.sampled_from(["a.csv", "a.jsonl", "a.parquet", "a.xlsx"]), st.binary(max_size=60)),
)


def posted(person: Person, path: str, content: bytes, **params: Any) -> Response:
    headers = {"Content-Type": "application/octet-stream"}
    return asyncio.run(person.sent("POST", path, headers=headers, params=params, content=content))


def require_answered(answer: Response) -> None:
    """It works, or is refused in the one shape by its code's status."""
    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400:
        assert CODES[code(answer)] == answer.status_code


def below(app: FastAPI) -> frozenset[str]:
    """Files in the folder of the dataset."""
    context = app.state.context
    root = Path(context.root.folder / context.folder("retail", "shelf_policies").path)
    return frozenset(one.relative_to(root).as_posix() for one in root.rglob("*") if one.is_file())


def loads(app: FastAPI, person: Person, name: str, content: bytes, declared: list[str]) -> None:
    """Load a file, after a dry run where that is refused by nothing, and see what is left."""
    sent = posted(person, f"{DATA}/uploads", content, file_name=name)
    require_answered(sent)
    if sent.status_code >= 400:
        return
    upload, before = sent.json()["id"], below(app)
    for dry_run in (True, False):
        body = {"declared": declared, "dry_run": dry_run, "leave_out": True}
        answer = person.call("POST", f"{PROJECT}/uploads/{upload}/load", body)
        require_answered(answer)
        assert not [
            one for one in below(app) - before if not one.startswith(may_be(answer, upload))
        ]
        if answer.status_code >= 400:
            return


def may_be(answer: Response, upload: str) -> tuple[str, ...]:
    """Where there may be something new: the cells that are refused, and rows of a change request if one was made."""
    if answer.status_code >= 400:
        return ()
    listed = f"imports/{upload}/refused"
    return (listed,) if answer.json()["request"] is None else (listed, "staging", "audit")


def infers(app: FastAPI, person: Person, name: str, content: bytes, declared: list[str]) -> None:
    """See what a file suggests, of which nothing is kept."""
    before = below(app)
    address = f"{PROJECT}/inferences"
    require_answered(posted(person, address, content, file_name=name, declared=declared))
    assert below(app) == before


def fuzzed(act: Callable[..., None], app: FastAPI, person: Person, examples: int) -> None:
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(file=FILES, declared=DECLARED)
    @example(
        file=("a.csv", csv("'", "", "utf-8", 2)), declared=['delimiter = "\'"', 'quote = "\'"']
    )
    @example(file=("a.jsonl", b"no record"), declared=[])
    @example(file=("a.csv", csv("§", '"', "utf-8", 2)), declared=['delimiter = "§"'])
    def answered(file: tuple[str, bytes], declared: list[str]) -> None:
        act(app, person, *file, declared)

    answered()


@pytest.mark.parametrize("act", [loads, infers])
def test_any_declaration_works_or_is_refused(
    act: Callable[..., None], app: FastAPI, ann: Person
) -> None:
    fuzzed(act, app, ann, 60)


@pytest.mark.parametrize("act", [loads, infers])
def test_any_declaration_of_a_file_that_arrow_reads_works_or_is_refused(
    act: Callable[..., None], app: FastAPI, ann: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_rows, "VECTORISED_BYTES", 0)
    fuzzed(act, app, ann, 30)


@pytest.mark.nightly
@pytest.mark.parametrize("act", [loads, infers])
def test_very_many_declarations_work_or_are_refused(
    act: Callable[..., None], app: FastAPI, ann: Person
) -> None:
    fuzzed(act, app, ann, 500)


@pytest.mark.parametrize(
    "declared",
    [
        ['delimiter = "\'"', 'quote = "\'"'],
        [f"header = {'9' * 5_000}"],
        [f"nulls = {'[' * 5_000}"],
    ],
)
def test_what_cannot_be_declared_is_refused(declared: list[str]) -> None:
    with pytest.raises(GovernanceError) as error:
        dialect_of(declared)
    assert error.value.code == "request_invalid"


def test_a_file_of_which_nobody_could_be_told_is_not_left_and_would_be_without_its_removal(
    app: FastAPI, ann: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise refused("storage_unavailable", "no space is left on the device")

    monkeypatch.setattr(uploading, "record", full)
    before = below(app)
    for kept in (False, True):
        if kept:
            monkeypatch.setattr(uploading.storage, "remove", lambda *_: None)
        answer = posted(ann, f"{DATA}/uploads", b"x", file_name="a.csv")
        assert code(answer) == "storage_unavailable"
        assert (below(app) > before) is kept
