"""Pages of lakes that are aged, cut or of another release: each says what it cannot show, and shows the rest."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable, Field
from deltalake.schema import PrimitiveType
from fastapi import FastAPI

from lakeshelf.governance.services.context import Context
from tests.cli.shop.told_shop import SHELF
from tests.governance.api.modelled import CHAMPION
from tests.governance.api.people import DATA, Browser, Person
from tests.governance.api.test_life import done, insert
from tests.governance.services.conftest import DATASET, PROJECT
from tests.ui import floor
from tests.ui.controls import reasons, tree
from tests.ui.floor import sent, shop_template
from tests.ui.test_frame import read

__all__ = ["sent", "shop_template"]
pytestmark = pytest.mark.slow
OF_DATASET = f"/data/{PROJECT}/{DATASET}"
PLACES = (
    "/",
    "/alerts",
    "/plans?status=issued",
    f"/shelves/{SHELF}?order=shown",
    f"{OF_DATASET}/history",
    f"{OF_DATASET}/blame?row_id={SHELF}",
    f"{OF_DATASET}/preview",
    "/reviews",
    "/models",
    f"/models/{CHAMPION}",
    "/explore",
    "/pipeline",
    "/lineage",
    f"/trace/{SHELF}",
)


@pytest.fixture
def lake(context: Context) -> Path:
    assert context.root.folder is not None
    return context.root.folder


@pytest.fixture
def browser(app: FastAPI, ann: Person, ben: Person) -> Browser:
    """The browser of an owner of a dataset that has rows, and some edits."""
    done(ann, ben, insert(SHELF))
    session = ann.post(f"{DATA}/live_sessions")["id"]
    ann.post(f"/api/v1/live_sessions/{session}/edits", {"edits": [insert("S1-I9")]})
    return Browser(app, "ann")


app = floor.app


def logs(lake: Path) -> Iterator[Path]:
    yield from sorted(lake.rglob("_delta_log"))


def commits(log: Path) -> list[Path]:
    return sorted(log.glob("*.json"))


def keep_checkpoints(lake: Path) -> None:
    """As Spark cleans a log: what a checkpoint holds is told by nothing else."""
    for log in logs(lake):
        DeltaTable(str(log.parent)).create_checkpoint()
        for commit in commits(log):
            commit.unlink()


def forget_times(lake: Path) -> None:
    """As other writers commit: nothing is told of a commit."""
    for log in logs(lake):
        for commit in commits(log):
            actions = map(json.loads, commit.read_text(encoding="utf-8").splitlines())
            kept = (one | {"commitInfo": {}} if "commitInfo" in one else one for one in actions)
            commit.write_text("\n".join(map(json.dumps, kept)), encoding="utf-8")


def lose_commits(lake: Path) -> None:
    for log in logs(lake):
        [*_, last] = commits(log)
        last.rename(last.with_name(f"{len(commits(log)) + 1:020}.json"))


def cut_commits(lake: Path) -> None:
    for log in logs(lake):
        [*_, last] = commits(log)
        last.write_bytes(last.read_bytes()[:60])


def empty_commits(lake: Path) -> None:
    for log in logs(lake):
        [*_, last] = commits(log)
        last.write_bytes(b"")


def renew(lake: Path) -> None:
    """As a release to come writes: with a feature that nobody here knows."""
    features = {"readerFeatures": ["later"], "writerFeatures": ["later"]}
    protocol = {"protocol": {"minReaderVersion": 3, "minWriterVersion": 7, **features}}
    for log in logs(lake):
        (log / f"{len(commits(log)):020}.json").write_text(json.dumps(protocol), encoding="utf-8")


def widen(lake: Path) -> None:
    """As a release to come writes: with a column that nobody here knows."""
    for log in logs(lake):
        later = Field("later", PrimitiveType("string"))
        DeltaTable(str(log.parent)).alter.add_columns([later])


def cut_files(lake: Path) -> None:
    for file in lake.rglob("*.parquet"):
        file.write_bytes(file.read_bytes()[:40])


def lose_files(lake: Path) -> None:
    for file in lake.rglob("part-*.parquet"):
        file.unlink()


def change_types(lake: Path) -> None:
    """Have somebody else's tables lie there: all numbers are texts."""
    for log in logs(lake):
        for commit in commits(log):
            text = commit.read_text(encoding="utf-8")
            for kind in ("long", "integer", "double"):
                text = text.replace(f'\\"type\\":\\"{kind}\\"', '\\"type\\":\\"string\\"')
            commit.write_text(text, encoding="utf-8")


BREAKS = (
    keep_checkpoints,
    forget_times,
    lose_commits,
    cut_commits,
    empty_commits,
    renew,
    widen,
    cut_files,
    lose_files,
)


@pytest.mark.parametrize("breaking", BREAKS, ids=lambda one: one.__name__)
def test_each_page_is_there_and_says_what_it_cannot_show(
    lake: Path, browser: Browser, breaking: Callable[[Path], None]
) -> None:
    breaking(lake)
    for place in PLACES:
        answer = read(browser, place)
        assert answer.status_code < 500, place
        for why in reasons(tree(answer.text)):
            assert "internal" not in why, (place, why)
            assert "the database" not in why, (place, why)
            if "could not be shown" in why:
                assert str(lake)[1:] not in why, (place, why)
                assert "{" not in why, (place, why)


def test_tables_whose_columns_have_other_types_are_refused(lake: Path, browser: Browser) -> None:
    change_types(lake)
    for place in ("/alerts", "/plans?status=issued", "/pipeline", "/models"):
        answer = read(browser, place)
        why = " ".join(reasons(tree(answer.text)))
        assert answer.status_code == 200, place
        assert "the contract says" in why, place
        assert "internal" not in why, place


@pytest.mark.parametrize("breaking", [keep_checkpoints, forget_times, widen])
def test_a_lake_whose_log_tells_less_or_more_is_read_as_any(
    lake: Path, browser: Browser, breaking: Callable[[Path], None]
) -> None:
    def shown(place: str) -> Any:
        return browser.get(f"/api/v1/{place}")

    before = shown("numbers")["numbers"]["stock"], shown("models")["rows"]
    names = [one["name"] for one in shown("tables?limit=1000")["rows"]]
    breaking(lake)
    after = shown("numbers")["numbers"]["stock"], shown("models")["rows"]
    assert after == before
    listed = shown("tables?limit=1000")["rows"]
    assert [one["name"] for one in listed] == names
    assert [one["error"] for one in listed if one.get("error")] == []
