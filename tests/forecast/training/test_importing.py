"""A version from elsewhere is judged here, whatever its card says, on days that it has not seen."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from lakeshelf.forecast.model.gates import GATES
from lakeshelf.forecast.training import importing, training
from lakeshelf.forecast.versions import folders, registered
from lakeshelf.forecast.versions.cards import CardGate
from lakeshelf.forecast.versions.errors import ActRefused, ModelError, VersionDamaged
from lakeshelf.forecast.versions.places import LocalVersion
from lakeshelf.lake import Lake
from tests.forecast.training import lakes
from tests.forecast.training.conftest import Study

pytestmark = [pytest.mark.slow, pytest.mark.ml]
REQUEST = training.TrainingRequest(lakes.ACT, work=lakes.WORK)
EARLY = lakes.BEGIN + timedelta(days=60)
BOASTED = (CardGate(name="pinball", value=0.9, bound=0.05, passed=True),)


def handed_over(study: Study, above: Path, until: date = EARLY, **changed: object) -> Path:
    """A folder of a version as somebody else made it."""
    update = {"trained_until": until, "gates": BOASTED, "code_sha256": "1" * 64, **changed}
    origin = study.origin.model_copy(update=update)
    folder = above / "from elsewhere"
    folders.write(LocalVersion(folder), study.outcome.trained, study.outcome.reference, origin)
    return folder


def test_a_candidate_has_the_gates_that_were_asked_here(study: Study, tmp_path: Path) -> None:
    lake = study.copy(tmp_path)
    version = importing.imported(lake, handed_over(study, tmp_path), REQUEST)
    name = version.card.model_version
    assert registered.read(lake).registry.model(name).status == "candidate"
    card = registered.version(lake, name).card
    assert [gate.name for gate in card.gates] == [gate.name for gate in GATES]
    assert card.run_id != study.origin.run_id
    assert card.code_sha256 == "1" * 64
    assert {score.contender for score in card.scores} > {"lightgbm", "sba"}


def test_days_that_it_has_learned_from_do_not_judge_it(study: Study, tmp_path: Path) -> None:
    lake = study.copy(tmp_path)
    source = handed_over(study, tmp_path, study.origin.trained_until)
    with pytest.raises(ActRefused, match="has learned until"):
        importing.imported(lake, source, REQUEST)
    assert not registered.read(lake).registry.models


def test_what_is_damaged_or_of_another_model_is_refused(study: Study, tmp_path: Path) -> None:
    lake = study.copy(tmp_path)
    source = handed_over(study, tmp_path, model_name="another_model")
    with pytest.raises(ActRefused, match="a version of another_model"):
        importing.imported(lake, source, REQUEST)
    (source / "mean.txt").write_text("tree")
    with pytest.raises(VersionDamaged, match=r"mean\.txt was changed"):
        importing.imported(lake, source, REQUEST)
    with pytest.raises(ModelError, match="is not there"):
        importing.imported(lake, tmp_path / "nowhere", REQUEST)
    assert not registered.read(lake).registry.models


@pytest.mark.parametrize("handed", ["nothing", "a file", "an empty folder", "a folder of others"])
def test_nobody_is_asked_to_remove_what_was_handed_over(tmp_path: Path, handed: str) -> None:
    source = tmp_path / "handed over"
    if handed == "a file":
        source.touch()
    elif handed != "nothing":
        source.mkdir()
    if handed == "a folder of others":
        (source / "notes.txt").touch()
    with pytest.raises(VersionDamaged) as refused:
        importing.imported(Lake(tmp_path / "lake"), source, REQUEST)
    assert refused.value.hint == importing.WAY
