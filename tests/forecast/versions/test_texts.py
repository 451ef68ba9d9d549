"""Of a model's text LightGBM opens what it would have written itself, and nothing else reaches it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakeshelf.forecast.frames import HEADS, MEAN, Columns
from lakeshelf.forecast.versions import texts
from lakeshelf.forecast.versions.errors import VersionDamaged
from tests.forecast.versions import cases

pytestmark = [pytest.mark.slow, pytest.mark.ml]  # LightGBM takes a second to import
HOME = Path(__file__).parents[3]
ENVIRONMENT = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive", "PYTHONPATH": f"{HOME}"}


def text(head: str = MEAN) -> str:
    return texts.stored(cases.trained().heads[head])


def check(found: str, head: str = MEAN, columns: Columns = cases.COLUMNS) -> None:
    texts.check(found, columns, head, "models/v/mean.txt")


@pytest.fixture(scope="module")
def opener() -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "tests.forecast.versions.opener"]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | ENVIRONMENT,
        cwd=HOME,
    ) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()


def opened(process: subprocess.Popen[str], found: str) -> str:
    """What LightGBM forecasts from a text; nothing when it ends its process."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps(found) + "\n")
    process.stdin.flush()
    return process.stdout.readline()


@pytest.mark.parametrize("head", HEADS)
def test_a_text_that_lightgbm_wrote_is_taken(head: str) -> None:
    check(text(head), head)


def test_a_split_between_what_is_known_and_what_is_not_is_taken() -> None:
    """Its threshold is no finite number, and what is read back forecasts the same."""
    import lightgbm

    values = np.tile([0.0, 1.0, 2.0, np.nan, np.nan], 400)[:, None]
    options = {"objective": "quantile", "alpha": 0.5, "num_leaves": 2, "verbosity": -1}
    units = np.where(np.isnan(values[:, 0]), 0, 9) + np.arange(2_000) % 7
    data = lightgbm.Dataset(values, units, feature_name=["known"])
    booster = lightgbm.train(options, data, 1)
    written = texts.stored(booster.model_to_string())
    assert "\nthreshold=inf\n" in written
    check(written, "q50", Columns(("known",), {}))
    again = lightgbm.Booster(model_str=written)
    assert (again.predict(values) == booster.predict(values)).all()
    with pytest.raises(VersionDamaged, match="threshold holds 'nan'"):
        check(written.replace("=inf", "=nan"), "q50", Columns(("known",), {}))


def test_what_is_cut_off_behind_the_trees_changes_no_forecast(
    opener: subprocess.Popen[str],
) -> None:
    for head in HEADS:
        whole = cases.trained().heads[head]
        assert len(whole) > len(text(head))
        assert opened(opener, whole) == opened(opener, text(head)) != ""


@settings(max_examples=600)
@given(data=st.data())
def test_a_damaged_text_is_refused_or_can_be_opened(
    data: st.DataObject, opener: subprocess.Popen[str]
) -> None:
    found = data.draw(cases.damaged(text()))
    if (error := refusal(found)) is None:
        assert opened(opener, found)
    else:
        assert re.match(r"models/v/mean.txt is no head mean of ours: \S", error.message)
        assert "\n" not in str(error)
        assert error.hint


def refusal(found: str) -> VersionDamaged | None:
    try:
        check(found)
    except VersionDamaged as error:
        return error
    return None


@pytest.mark.parametrize(
    ("named", "line", "value"),
    [
        ("num_class is '2'", "num_class", "2"),
        ("objective is 'quantile'", "objective", "quantile"),
        ("max_feature_idx is '4'", "max_feature_idx", "4"),
        ("feature_names is 'a b c d'", "feature_names", "a b c d"),
        ("1 feature_infos", "feature_infos", "none"),
        ("feature_infos are no ranges", "feature_infos", "none none none x"),
        ("0 trees", "tree_sizes", ""),
        ("a tree of no size", "tree_sizes", "0"),
        ("tree 0 is not of its size", "tree_sizes", "9999999999"),
        ("tree 0: num_leaves is 2000000000", "num_leaves", "2000000000"),
        ("tree 0: num_cat is 0", "num_cat", "0"),
        ("tree 0: is_linear is not 0", "is_linear", "1"),
        ("tree 0: 0 values of shrinkage, not 1", "shrinkage", ""),
        ("tree 0: split_feature is 4", "split_feature", "4 0 0 0"),
        ("tree 0: decision_type is 12", "decision_type", "12 0 0 0"),
        ("tree 0: units_28d has no categories", "decision_type", "1 1 1 1"),
        ("tree 0: 1 values of leaf_value, not 5", "leaf_value", "1"),
        ("tree 0: leaf_value holds 'nan'", "leaf_value", "nan 0 0 0 0"),
        ("tree 0: leaf_value is not finite", "leaf_value", "1e999 0 0 0 0"),
        ("tree 0: threshold is not finite", "threshold", "1e999 inf 0 0"),
        ("tree 0: leaf_count is negative", "leaf_count", "-1 0 0 0 0"),
        ("tree 0: internal_count is not positive", "internal_count", "0 1 1 1"),
        ("tree 0: node 0 has the children (0, ", "left_child", "0 1 2 3"),
        ("tree 0: left_child and right_child name not every node", "left_child", "9 9 9 9"),
        ("tree 0: cat_boundaries do not divide", "cat_boundaries", "0 9"),
        ("tree 0: cat_threshold is no 32-bit word", "cat_threshold", "-1"),
    ],
)
def test_what_is_wrong_is_named_with_its_tree(named: str, line: str, value: str) -> None:
    with pytest.raises(VersionDamaged, match=re.escape(named)):
        check(set_to(text(), line, value))


def set_to(found: str, line: str, value: str) -> str:
    """A text whose first line of a name has another value, and its tree the size of that."""
    changed = re.sub(rf"(?m)^{line}=.*$", f"{line}={value}", found, count=1)
    if found.index(f"{line}=") < found.index("Tree=0"):
        return changed
    (sizes,) = re.findall(r"(?m)^tree_sizes=(.*)$", changed)
    first, *others = map(int, sizes.split())
    grown = " ".join(map(str, (first + len(changed) - len(found), *others)))
    return changed.replace(f"tree_sizes={sizes}", f"tree_sizes={grown}")
