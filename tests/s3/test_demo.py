"""The whole stack on a lake in a bucket: broker, queries, both committers, and the books afterwards."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lakeshelf.lake import Lake
from lakeshelf.lake.rows import tables
from lakeshelf.settings import project_home
from lakeshelf.streams.resume import checkpoint

from .conftest import SECRET


@pytest.mark.slow
@pytest.mark.spark
@pytest.mark.parametrize(
    ("committer", "baskets"),
    [("driver", 100), pytest.param("spark", 20, marks=pytest.mark.nightly)],
)
def test_the_demo_balances_on_a_bucket_and_leaves_no_secret(
    root: str, tmp_path: Path, committer: str, baskets: int
) -> None:
    state = tmp_path / "state"
    environment = os.environ | {
        "LAKESHELF_CACHE_DIR": str(project_home() / ".cache"),
        "LAKESHELF_STATE_DIR": str(state),
        "LAKESHELF_COMMITTER": committer,
    }
    command = ["demo", "--stores", "1", "--baskets", str(baskets), "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "lakeshelf.cli.main", "--lake", root, *command],
        env=environment,
        capture_output=True,
        text=True,
        timeout=1000,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["ok"]
    assert report["lake"] == root
    assert tables.row_count(root, "raw/pos_transactions") == baskets
    assert Lake(root).snapshot("cleansed/shelf_state").version > 0
    assert not (state / "_checkpoints").exists()
    assert checkpoint.begun(f"{root}/_checkpoints")
    texts = [done.stdout, done.stderr]
    texts += [f.read_text(errors="replace") for f in state.rglob("*") if f.is_file()]
    assert not [text for text in texts if SECRET in text]
