"""The model card in the documentation is what the result of the benchmark says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks import model_card
from benchmarks.harness import RESULTS
from lakeshelf.forecast.model.gates import GATES
from lakeshelf.settings import project_home
from tests.forecast.versions.cases import ORIGIN


def result(deviance: float) -> dict[str, Any]:
    gates = [
        {"name": gate.name, "rule": gate.rule, "bound": gate.bound, "value": None, "passed": False}
        for gate in GATES
    ]
    scores = {"active": {"deviance": {"lightgbm": deviance, "sba": 1.0}}, "store:S1": {}}
    folds = [fold.model_dump(mode="json") for fold in ORIGIN.folds]
    return {
        "made_at": "2026-01-02T03:04:05+00:00",
        "parameters": {"stores": 10},
        "machine": {"cpu": "a cpu"},
        "versions": {"lightgbm": "4.6"},
        "runs": [{"seed": 1, "gates": gates, "scores": scores, "folds": folds}],
    }


def test_the_page_of_the_checkout_is_that_of_its_result() -> None:
    if (RESULTS / "ml.json").exists():
        assert model_card.main(["--check"]) == 0, "run `python -m benchmarks.model_card`"
    else:
        assert not (project_home() / model_card.FILE).exists()


def test_a_page_follows_the_result(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--results", str(tmp_path), "--page", str(tmp_path / "card.md")]
    assert model_card.main(arguments) == 1
    assert "no result" in capsys.readouterr().err
    (tmp_path / "ml.json").write_text(json.dumps(result(0.5)))
    assert model_card.main([*arguments, "--check"]) == 1
    assert capsys.readouterr().err.endswith(
        "card.md is not there: run `python -m benchmarks.model_card`\n"
    )
    for deviance in (0.5, 0.25):
        (tmp_path / "ml.json").write_text(json.dumps(result(deviance)))
        assert model_card.main(arguments) == 0
        assert model_card.main([*arguments, "--check"]) == 0
        assert f"| lightgbm | {deviance} |" in (tmp_path / "card.md").read_text()
    (tmp_path / "ml.json").write_text(json.dumps(result(0.75)))
    assert model_card.main([*arguments, "--check"]) == 1
    assert "card.md is out of date: " in capsys.readouterr().err
