"""A training leaves a whole candidate or none, follows from its pins, and says what it read."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from lakeshelf import crash
from lakeshelf.contracts.layers import Ops, Raw
from lakeshelf.forecast.model.folds import TooLittleHistory
from lakeshelf.forecast.training import stored, training, verifying
from lakeshelf.forecast.versions import registered
from lakeshelf.forecast.versions.errors import VersionDamaged
from lakeshelf.forecast.versions.registry import challenge, promote
from lakeshelf.lake import Lake
from lakeshelf.lake.history import runs
from tests.forecast.training import lakes
from tests.forecast.training.conftest import Study

pytestmark = [pytest.mark.slow, pytest.mark.ml]


class Killed(BaseException):
    """The process has ended here."""


def keep(lake: Lake, study: Study) -> str:
    """Write what was learned; the name of the version."""
    version = training.keep(lake, study.outcome, study.origin, lakes.ACT)
    return version.card.model_version


def test_a_version_is_a_candidate_with_its_scores_and_what_it_read(
    study: Study, tmp_path: Path
) -> None:
    lake = study.copy(tmp_path)
    name = keep(lake, study)
    model = registered.read(lake).registry.model(name)
    assert (model.status, model.actor, model.reason) == ("candidate", "ada", "a test")
    card = registered.version(lake, name).card
    assert json.loads(model.gates) == [gate.model_dump() for gate in card.gates]
    scores = lake.read(Ops.MODEL_SCORES).read_all().to_pylist()
    assert {row["model_version"] for row in scores} == {name}
    kept = {(r["fold"], r["segment"], r["metric"], r["contender"]): r["value"] for r in scores}
    assert card.scores
    for score in card.scores:
        assert kept[score.fold, score.segment, score.metric, score.contender] == score.value
    read = {row["dataset"]: row for row in runs.rows_of(lake.root, card.run_id)}
    assert {pin.dataset for pin in card.inputs} == read.keys() == set(stored.TABLES)
    assert all(read[pin.dataset]["version"] == pin.version for pin in card.inputs)
    assert all(fold.last_label_day < fold.first_test_day for fold in card.folds)


@pytest.mark.parametrize("point", ["version_after_file", "after_version", "after_scores"])
def test_killed_anywhere_no_version_is_known_and_the_next_attempt_makes_it(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    """M5."""
    lake = study.copy(tmp_path)

    def kill(name: str, number: int | None = None) -> None:
        if name == point:
            raise Killed

    monkeypatch.setattr(crash, "point", kill)
    with pytest.raises(Killed):
        keep(lake, study)
    monkeypatch.undo()
    assert not registered.read(lake).registry.models
    name = keep(lake, study)
    assert registered.version(lake, name).card.model_version == name
    assert keep(lake, study) == name
    assert len(registered.read(lake).registry.models) == 1


def test_trained_again_from_its_pins_it_is_the_same_whatever_came_later(
    study: Study, tmp_path: Path
) -> None:
    """M1: late receipts of the days that it learned from change nothing."""
    lake = study.copy(tmp_path)
    version = registered.version(lake, keep(lake, study))
    late = [lakes.receipt(f"late{n}", n, "S1", "S1-I1", "I1", 40) for n in range(60, 130)]
    lakes.put(tmp_path / "lake", Raw.POS_TRANSACTIONS, late)
    lakes.settle(tmp_path / "lake", 140)
    assert verifying.verify(lake, version).equal
    pins = verifying.PinnedTables(lake, {})
    lesson = training.lessons.lesson(pins, training.lessons.settled(version.card.trained_until))
    rows = training.trials.usable(lesson.rows)
    other = training.trials.fitted(rows, training.trials.boosted(rows, lakes.SETTINGS))
    verdict = verifying.compared(version, other, reference=False)
    assert not verdict.equal
    assert verdict.heads


def test_what_differs_is_named(study: Study, tmp_path: Path) -> None:
    lake = study.copy(tmp_path)
    version = registered.version(lake, keep(lake, study))
    verdict = verifying.compared(version, study.outcome.trained, reference=True)
    assert (verdict.heads, verdict.settings, verdict.equal) == ((), (), False)
    assert verdict.as_json()["reference"] is True


def test_a_champion_has_to_be_beaten_unless_its_files_are_damaged(
    study: Study, tmp_path: Path
) -> None:
    lake = study.copy(tmp_path)
    name = keep(lake, study)
    assert training.champion(lake) == {}
    for step in (challenge, promote):
        registered.change(lake, lambda known, do=step: do(known, name, lakes.ACT))
    assert list(training.champion(lake)) == ["champion"]
    text = tmp_path / "lake" / "models" / registered.MODEL / name / "mean.txt"
    text.write_text(text.read_text() + " ")
    with pytest.raises(VersionDamaged, match=r"mean\.txt was changed"):
        registered.version(lake, name)
    assert training.champion(lake) == {}


def test_a_champion_that_was_lost_and_is_trained_again_decides_again(
    study: Study, tmp_path: Path
) -> None:
    """The way out that its error names, on the day of the training: the same texts, and a card of its own."""
    lake = study.copy(tmp_path)
    name = keep(lake, study)
    for step in (challenge, promote):
        registered.change(lake, lambda known, do=step: do(known, name, lakes.ACT))
    folder = tmp_path / "lake" / "models" / registered.MODEL / name
    (folder / "q90.txt").write_text("tree")
    later = Study(study.root, study.outcome, study.origin.model_copy(update={"run_id": "later"}))
    with pytest.raises(VersionDamaged, match=r"q90\.txt was changed") as refused:
        keep(lake, later)
    assert f"{refused.value.hint}".startswith("remove the folder and train with ")
    shutil.rmtree(folder)
    assert keep(lake, later) == name
    model = registered.read(lake).registry.model(name)
    assert (model.status, model.run_id) == ("champion", "later")
    assert registered.files_check(lake).ok


@pytest.mark.parametrize("days", [0, 3, 75])
def test_a_short_history_is_said_in_one_line_and_leaves_nothing(tmp_path: Path, days: int) -> None:
    root = lakes.written(tmp_path / "lake", days=0)
    if days:
        lakes.put(root, Raw.POS_TRANSACTIONS, lakes.receipts(0, days))
        lakes.store(root, days)
    with pytest.raises(TooLittleHistory, match="nothing is trained") as refused:
        training.train(registered.writer(root), training.TrainingRequest(lakes.ACT))
    assert len(str(refused.value).splitlines()) == 1
    assert not (root / "models").exists()
