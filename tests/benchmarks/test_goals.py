"""Goals that were not reached stand in the page of forecasts, as the result files say them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import goals

PAGE = f"# Forecasts\n\n{goals.BEGIN}\n{goals.END}\n\nMore.\n"


def write(folder: Path, **medians: float | None) -> list[str]:
    """A result and a page of it; the arguments that name both."""
    figure = {"title": "", "unit": "%", "goal": None, "higher": True}
    figures = [{**figure, "key": key, "median": median} for key, median in medians.items()]
    result = {"parameters": {}, "figures": figures}
    (folder / "ml.json").write_text(json.dumps(result))
    return ["--results", str(folder), "--page", str(folder / "page.md")]


def test_what_was_not_reached_is_named_with_its_reason(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(PAGE)
    arguments = write(
        tmp_path, deviance_active=13.0, others_bias=4.0, install=31.0, trial=9.0, stores=None
    )
    assert goals.main([*arguments, "--check"]) == 1
    assert goals.main(arguments) == 0
    assert goals.main([*arguments, "--check"]) == 0
    said = page.read_text()
    assert "\n1 of 3 goals were reached.\n" in said
    rows = [line.split(" | ") for line in said.splitlines() if line.startswith("| ")][2:]
    assert [(goal, measured, why) for _, goal, measured, why in rows] == [
        ("≤ 3", "4 %", f"{goals.REASONS['bias']} |"),
        ("≤ 30", "31 s", f"{goals.UNKNOWN} |"),
    ]
    assert said.endswith("\n\nMore.\n")


def test_a_number_that_was_changed_by_hand_is_seen(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.md"
    page.write_text(PAGE)
    arguments = write(tmp_path, bias=4.0)
    goals.main(arguments)
    page.write_text(page.read_text().replace("| 4 % |", "| 2 % |"))
    assert goals.main([*arguments, "--check"]) == 1
    told = f"{page} is out of date: run `python -m benchmarks.goals`\n"
    assert capsys.readouterr().err == told


def test_a_page_without_its_markers_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="put both lines back"):
        goals.rendered("# Forecasts\n", tmp_path)
