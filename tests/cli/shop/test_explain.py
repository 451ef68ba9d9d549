"""`explain` for people and programs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.forecast.inference import ordered

pytestmark = [pytest.mark.slow, pytest.mark.ml]  # a model is trained


def test_an_order_is_explained_in_words_and_as_json(lakeshelf, tmp_path: Path) -> None:
    root = tmp_path / "lake"
    version = ordered.make(root).card.model_version
    shelf = ordered.BY_MODEL[0]
    told = json.loads(lakeshelf("--lake", root, "explain", shelf, "--json").out)
    shown = lakeshelf("--lake", root, "explain", shelf).out
    assert f"{shelf} Goods I0, item I0, store S0: a model decides" in shown
    assert told["forecast"]["model_version"] == version
    assert version in shown
    assert f"forecast            {told['forecast']['mean_units']:.2f} units from" in shown
    assert "would ask for 8 units, 2 lots of 4" in shown
    assert all(part["name"] in shown for part in told["forecast"]["parts"])
    by_rule = lakeshelf("--lake", root, "explain", ordered.BY_RULE[0]).out
    assert "the rule decides" in by_rule
    assert "asks for 8 units, 2 lots of 4: 0 units in the back room are below" in by_rule
