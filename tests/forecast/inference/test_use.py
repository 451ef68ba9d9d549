"""Which versions predict: the champion, or the one before it where its files are damaged, else nobody."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from lakeshelf.forecast.inference import use
from lakeshelf.forecast.versions import registry as r
from lakeshelf.forecast.versions.folders import Version
from tests.forecast.versions.cases import applied

from . import shop

pytestmark = [pytest.mark.slow, pytest.mark.ml]  # a model is trained


def act() -> r.Attribution:
    return r.Attribution("mia", datetime(2026, 10, 1, tzinfo=UTC))


def registered(*versions: Version) -> r.Registry:
    """Each of the versions was champion, the last one is."""
    registry = r.Registry.of([])
    for version in versions:
        for doing in (r.challenge, r.promote):
            if version.card.model_version not in registry.models:
                made = r.register(registry, version.card, version.card_sha256, act())
                registry = applied(registry, made)
            changed = doing(registry, version.card.model_version, act())
            registry = applied(registry, changed)
    return registry


def rows(registry: r.Registry) -> list[dict[str, Any]]:
    return [model.row() for model in registry.models.values()]


@pytest.fixture
def versions(tmp_path: Path) -> list[Version]:
    """Three versions of a lake."""
    return [shop.published(tmp_path, rate=rate) for rate in (0.1, 0.2, 0.3)]


def damage(root: Path, version: Version) -> None:
    """Somebody changes a file by hand."""
    file = root / "models" / shop.MODEL / version.card.model_version / "mean.txt"
    file.write_text(file.read_text().replace("tree", "tere", 1))


def test_champion_and_challenger_predict(tmp_path: Path, versions: list[Version]) -> None:
    first, second, third = versions
    registry = registered(first, second)
    made = r.register(registry, third.card, third.card_sha256, act())
    registry = applied(registry, made)
    registry = applied(registry, r.challenge(registry, third.card.model_version, act()))
    choice = use.chosen(tmp_path, rows(registry))
    assert [(one.role, one.version) for one in choice.all] == [
        ("champion", second),
        ("challenger", third),
    ]
    assert choice.problems == {}


@pytest.mark.parametrize("damaged", [0, 1, 2, 3])
def test_the_latest_champion_that_is_whole_decides(
    damaged: int, tmp_path: Path, versions: list[Version]
) -> None:
    registry = registered(*versions)
    for version in versions[3 - damaged :]:
        damage(tmp_path, version)
    choice = use.chosen(tmp_path, rows(registry))
    expected = dict(enumerate(reversed(versions))).get(damaged)
    assert (choice.champion and choice.champion.version) == expected
    assert len(choice.problems) == damaged
    for version in versions[3 - damaged :]:
        problem = choice.problems[version.card.model_version]
        assert f"{version.card.model_version}/mean.txt was changed" in problem


def test_two_champions_are_none(tmp_path: Path, versions: list[Version]) -> None:
    both = [{**row, "status": "champion"} for row in rows(registered(*versions[:2]))]
    choice = use.chosen(tmp_path, both)
    assert choice.all == ()
    assert "2 versions as champion" in choice.problems[""]


def test_without_versions_nobody_predicts(tmp_path: Path) -> None:
    assert use.chosen(tmp_path, []) == use.NOBODY
