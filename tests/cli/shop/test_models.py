"""Versions as people and programs see them, and what becomes of them by commands."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from lakeshelf import extras
from lakeshelf.contracts import project
from lakeshelf.forecast.training import origins, trials
from lakeshelf.forecast.versions import registered
from lakeshelf.forecast.versions.cards import CardGate, Score
from lakeshelf.forecast.versions.registry import Attribution, register
from lakeshelf.settings import project_home
from tests.forecast import openmp
from tests.forecast.training import lakes
from tests.forecast.versions import cases

pytestmark = pytest.mark.ml
PASSED = (CardGate(name="pinball", value=0.06, bound=0.05, passed=True),)
FAILED = (*PASSED, CardGate(name="bias", value=0.093, bound=0.05, passed=False))
SCORES = tuple(
    Score(
        fold=date(2026, 9, 1),
        segment=segment,
        metric="deviance",
        contender=contender,
        value=value,
        rows=100,
    )
    for segment in ("active", "tail")
    for contender, value in (("sba", 0.55), ("lightgbm", 0.5))
)


def add(root: Path, day: int, gates: tuple[CardGate, ...] = PASSED) -> str:
    """Register a version that was trained until a day of September."""
    above = root / "models" / registered.MODEL
    _, version = cases.published(
        above, trained_until=date(2026, 9, day), gates=gates, scores=SCORES
    )
    act = Attribution("training-service", datetime(2026, 10, day, tzinfo=UTC), "every 28 days")
    card, sha256 = version.card, version.card_sha256
    registered.change(registered.writer(root), lambda known: register(known, card, sha256, act))
    return card.model_version


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "lake").mkdir()
    return tmp_path / "lake"


def status(lakeshelf: Any, root: Path) -> dict[str, str]:
    """Version → status."""
    shown = lakeshelf("--lake", root, "models", "list", "--json")
    return {row["model_version"]: row["status"] for row in json.loads(shown.out)}


def test_a_lake_without_versions_says_what_to_do(lakeshelf, root):
    shown = lakeshelf("--lake", root, "models", "list")
    assert "the rule decides" in shown.out
    assert "lakeshelf models train" in shown.out
    for words in (["show"], ["verify"]):
        assert "`lakeshelf models train`" in lakeshelf("--lake", root, "models", *words).error
    refused = lakeshelf("--lake", root, "models", "rollback", "--yes")
    assert "the rule decides already" in refused.error


def test_a_version_goes_up_step_by_step_and_is_rolled_back(lakeshelf, root):
    first, second = add(root, 20), add(root, 21)
    for version in (first, first, second):
        done = lakeshelf("--lake", root, "models", "promote", version, "--yes", "--as", "mia")
        assert done.code == 0, done.err
    assert status(lakeshelf, root) == {first: "champion", second: "challenger"}
    lakeshelf("--lake", root, "models", "promote", second, "--yes", "--reason", "it is better")
    assert status(lakeshelf, root) == {first: "retired", second: "champion"}
    champion = registered.read(registered.writer(root)).registry.champion
    assert champion is not None
    assert champion.reason == "it is better"
    back = json.loads(lakeshelf("--lake", root, "models", "rollback", "--yes", "--json").out)
    assert {row["model_version"]: row["status"] for row in back} == {
        first: "champion",
        second: "retired",
    }


def test_of_two_champions_one_is_retired_by_the_command_that_the_error_names(lakeshelf, root):
    first, second = add(root, 20), add(root, 21)
    for version in (first, first, second, second):
        lakeshelf("--lake", root, "models", "promote", version, "--yes")
    lake = registered.writer(root)
    retired = registered.read(lake).registry.model(first)
    act = Attribution("mia", datetime(2026, 10, 22, tzinfo=UTC), "by hand")
    registered.change(lake, lambda known: (retired.become("champion", act),))
    assert "`lakeshelf models retire VERSION`" in lakeshelf("--lake", root, "models", "show").error
    done = lakeshelf("--lake", root, "models", "retire", second, "--yes")
    assert done.code == 0, done.err
    assert status(lakeshelf, root) == {first: "champion", second: "retired"}
    lakeshelf("--lake", root, "models", "retire", second, "--for-good", "--yes")
    again = lakeshelf("--lake", root, "models", "promote", second, "--yes")
    assert again.code != 0
    assert status(lakeshelf, root) == {first: "champion", second: "refused"}


def test_nothing_changes_before_somebody_agrees(lakeshelf, root):
    version = add(root, 20)
    asked = lakeshelf("--lake", root, "models", "promote", version)
    assert "challenger" in asked.out
    assert "give --yes to agree" in asked.error
    assert status(lakeshelf, root) == {version: "candidate"}


def test_what_failed_a_gate_is_not_promoted_and_the_gate_is_named(lakeshelf, root):
    version = add(root, 20, FAILED)
    refused = lakeshelf("--lake", root, "models", "promote", version, "--yes")
    assert refused.code == 1
    assert "bias (0.093, bound 0.05)" in refused.error
    assert f"lakeshelf models show {version}" in refused.error
    assert status(lakeshelf, root) == {version: "candidate"}
    assert "1 of 2; not bias" in lakeshelf("--lake", root, "models", "list").out


def test_the_card_is_shown_with_scores_beside_the_baselines_and_each_gate(lakeshelf, root):
    version = add(root, 20, FAILED)
    shown = " ".join(lakeshelf("--lake", root, "models", "show").out.split())
    for text in (version, "run-1", "curated/features_store at version 3", "sba 0.55", "not passed"):
        assert text in shown
    assert "\\" not in shown, "an end of a line is none where sentences are printed"
    card = json.loads(lakeshelf("--lake", root, "models", "show", version, "--json").out)["card"]
    assert card["model_version"] == version
    assert [gate["name"] for gate in card["gates"]] == ["pinball", "bias"]


def test_an_unknown_version_is_refused_with_those_that_are_there(lakeshelf, root):
    version = add(root, 20)
    for words in (["show", "x"], ["verify", "x"], ["promote", "x"], ["compare", version, "x"]):
        refused = lakeshelf("--lake", root, "models", *words)
        assert refused.code == 1
        assert "there is no version 'x'" in refused.error
        assert version in refused.error


def test_damaged_files_are_said_with_path_and_hash_before_anything_is_trained(lakeshelf, root):
    version = add(root, 20)
    text = root / "models" / registered.MODEL / version / "q90.txt"
    text.write_text(text.read_text() + " ")
    for words in (["show"], ["verify", version]):
        refused = lakeshelf("--lake", root, "models", *words)
        assert refused.code == 1
        assert f"{text} was changed: its SHA-256 is" in refused.error


@pytest.mark.parametrize("steps", [0, 1])
def test_what_was_damaged_is_not_promoted_and_the_command_that_the_error_names_takes_it_out(
    lakeshelf, root, steps
):
    version = add(root, 20)
    for _ in range(steps):
        lakeshelf("--lake", root, "models", "promote", version, "--yes")
    (root / "models" / registered.MODEL / version / "q90.txt").write_text("tree")
    refused = lakeshelf("--lake", root, "models", "promote", version, "--yes")
    assert refused.code == 1
    assert "q90.txt was changed" in refused.error
    _, _, way = refused.error.rpartition("or take it out of use with `lakeshelf ")
    assert lakeshelf(*shlex.split(way.strip("`")), "--yes").code == 0
    assert status(lakeshelf, root) == {version: "retired"}


def test_two_versions_are_beside_each_other(lakeshelf, root):
    one, other = add(root, 20), add(root, 21, FAILED)
    shown = lakeshelf("--lake", root, "models", "compare", one, other).out
    for text in (one, other, "active", "0.5", "2026-09-20", "2026-09-21", "bias"):
        assert text in shown
    cards = json.loads(lakeshelf("--lake", root, "models", "compare", one, other, "--json").out)
    assert list(cards) == [one, other]


def test_a_card_is_a_page_as_well(lakeshelf, root):
    version = add(root, 20)
    shown = lakeshelf("--lake", root, "models", "show", "--markdown")
    assert shown.out.startswith(f"# Model card: warehouse_optimizer {version}\n")
    assert "| pinball | yes | 0.06 | at least 0.05 |" in shown.out


def test_a_short_history_is_one_line(lakeshelf, tmp_path):
    root = lakes.written(tmp_path / "lake", days=0)
    refused = lakeshelf("--lake", root, "models", "train")
    assert refused.code == 1
    assert "nothing is trained: no features are stored" in refused.error
    assert "`lakeshelf features backfill`" in refused.error


@pytest.mark.parametrize("words", [["train"], ["verify"]])
def test_without_the_extra_one_line_names_the_command(lakeshelf, root, monkeypatch, words):
    add(root, 20)
    monkeypatch.setattr(extras, "find_spec", lambda name: None if name == "lightgbm" else name)
    refused = lakeshelf("--lake", root, "models", *words)
    assert refused.code == 1
    assert "pip install 'lakeshelf[ml]'" in refused.error


def test_without_openmp_one_line_names_what_to_install(lakeshelf, root, tmp_path, monkeypatch):
    openmp.remove(tmp_path / "elsewhere", monkeypatch)
    refused = lakeshelf("--lake", root, "models", "train")
    assert refused.code == 1
    assert "libgomp.so.1" in refused.error
    assert "apt-get install libgomp1" in refused.error


def elsewhere(folder: Path, root: Path) -> dict[str, str]:
    """Variables of another checkout, home and number of threads; the lake is moved there."""
    for part in ("src", *project.ROOMS):
        shutil.copytree(project_home() / part, folder / "checkout" / part)
    shutil.copy(project_home() / origins.LOCK, folder / "checkout")
    shutil.move(root, folder / "lake")
    (folder / "home").mkdir()
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "3")
    return {
        **{name: value for name, value in os.environ.items() if "LAKESHELF" not in name},
        **threads,
        "PYTHONPATH": str(folder / "checkout" / "src"),
        "PYTHONHASHSEED": "7",
        "HOME": str(folder / "home"),
        "TZ": "Asia/Tokyo",
    }


@pytest.mark.slow
def test_a_version_that_was_trained_by_command_is_verified_by_command_on_another_machine(
    lakeshelf, tmp_path, monkeypatch
):
    root = lakes.written(tmp_path / "lake")
    monkeypatch.setattr(trials, "Work", lakes.work)
    trained = lakeshelf("--lake", root, "models", "train", "--as", "mia", "--json")
    assert trained.code == 0, trained.err
    row = json.loads(trained.out)
    assert (row["status"], row["actor"]) == ("candidate", "mia")
    assert "train on all rows" in trained.err
    there = tmp_path / "elsewhere"
    there.mkdir()
    variables = elsewhere(there, root)
    words = ("--lake", str(there / "lake"), "models", "verify", "--json")
    verified = subprocess.run(
        [sys.executable, "-m", "lakeshelf.cli.main", *words],
        env=variables,
        cwd=there,
        capture_output=True,
        text=True,
        check=False,
    )
    assert verified.returncode == 0, verified.stderr
    verdict = json.loads(verified.stdout)
    assert (verdict["version"], verdict["equal"]) == (row["model_version"], True)
    assert not verdict["code"]
    assert not verdict["lock"]
