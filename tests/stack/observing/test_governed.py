"""What is wrong with governed datasets is told by `status` and `doctor`, each with a command that leads out of it."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from lakeshelf.files import write_atomically
from lakeshelf.governance.metadata import Metadata
from lakeshelf.governance.services.changes.merging import lease_name
from lakeshelf.lake import Lake
from lakeshelf.lake.form.owners import GOVERNANCE
from lakeshelf.lake.place import projects
from lakeshelf.settings import Settings, load_settings
from lakeshelf.stack.machine.processes import identify
from lakeshelf.stack.observing import governed, live
from lakeshelf.stack.observing.diagnosis import CheckFinding
from lakeshelf.stack.observing.status import collect
from lakeshelf.status_files import PUBLICATION
from tests.conftest import Run
from tests.governance.conftest import NOW
from tests.governance.metadata.shop import ACT, DRAFT, open_shop
from tests.governance.metadata.test_audit import without_triggers

NAME = "retail/shelf_policies"
REASON = "nothing goes to shelf_policies: it finds no such topic; run `lakeshelf bootstrap`"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A lake that is not the one of the environment, so that commands have to name it."""
    root = tmp_path / "other"
    root.mkdir()
    return load_settings(lake_root=root)


def stack(settings: Settings, **parts: dict[str, Any]) -> None:
    """A stack that is this very process, with parts in some state."""
    process = vars(identify(os.getpid()))
    told = {name: {**process, "restarts": 0, "ended": "", **part} for name, part in parts.items()}
    content = {**process, "state": "running", "governed": True, "parts": told}
    write_atomically(settings.stack_dir / "stack.json", json.dumps(content).encode())


def stopped(settings: Settings) -> None:
    member = {"dataset": NAME, "state": "stopped", "reason": REASON}
    PUBLICATION.write(settings.stack_dir, [member])


def merging(settings: Settings, *, over: bool) -> None:
    """A merge whose lease is over, or is not."""
    with Metadata.open(settings.governance_place) as metadata, metadata.transaction() as tx:
        open_shop(tx)
        request = tx.requests.add(replace(DRAFT, status="merging"))
        length = timedelta(seconds=1) if over else timedelta(days=365_000)
        tx.leases.take(lease_name(request), "gone", NOW, length)


def bad(findings: Any) -> list[CheckFinding]:
    return [finding for finding in findings if not finding.ok]


def test_publication_that_is_stopped_is_told_with_its_reason_and_the_way_out(
    lakeshelf: Run, settings: Settings
) -> None:
    stopped(settings)
    (finding,) = bad(governed.publication(settings))
    assert finding.fix == "run `lakeshelf bootstrap`"
    assert any(NAME in line for line in collect(settings)["problems"])
    for command in ("status", "watch --once"):
        shown = lakeshelf("--lake", settings.lake_root, *command.split()).out
        assert f"publication of {NAME} is stopped" in shown
        assert "`lakeshelf --lake" in shown
    PUBLICATION.write(settings.stack_dir, [{"dataset": NAME, "state": "running", "reason": ""}])
    assert bad(governed.publication(settings)) == []


def test_a_dataset_that_is_being_bound_is_a_problem_only_where_that_takes_long(
    settings: Settings,
) -> None:
    for waits, problems in ((timedelta(seconds=5), 0), (2 * governed.BOUND_WITHIN, 1)):
        since = (datetime.now(UTC) - waits).isoformat()
        member = {"dataset": NAME, "state": "waiting", "reason": REASON, "since": since}
        PUBLICATION.write(settings.stack_dir, [member])
        assert len(bad(governed.publication(settings))) == problems


def test_a_merge_is_stuck_once_its_lease_is_over(settings: Settings) -> None:
    merging(settings, over=True)
    (finding,) = bad(governed.merges(settings))
    assert "CR 1 of retail/wh_policies is stuck" in finding.message
    assert "`lakeshelf up`" in finding.fix
    assert any("is stuck" in line for line in collect(settings)["problems"])
    assert any("is stuck" in line for line in live.collect(settings)["problems"])


def test_a_merge_that_somebody_works_on_is_not_stuck(settings: Settings) -> None:
    merging(settings, over=False)
    assert bad(governed.merges(settings)) == []


def test_looking_makes_no_database(settings: Settings) -> None:
    for look in (governed.merges, governed.audit):
        assert list(look(settings)) == []
    assert not Path(settings.governance_place).exists()


def test_a_part_of_the_service_that_does_not_run_is_told(settings: Settings) -> None:
    stack(settings, api={"state": "running", "error": ""}, worker={"state": "failed", "error": "x"})
    (finding,) = bad(governed.service(settings))
    assert (finding.message, "`lakeshelf logs worker`" in finding.fix) == (
        "the worker is failed: x",
        True,
    )
    stack(settings)
    assert len(bad(governed.service(settings))) == 2


def table(settings: Settings) -> Path:
    owner = Lake(settings.lake_root, writer=GOVERNANCE)
    schema = pa.schema([("shelf_id", pa.string()), ("units", pa.int64())])
    owner.create(NAME, schema, key=("shelf_id",), path=projects.main(NAME), owner=GOVERNANCE)
    owner.append(NAME, [{"shelf_id": "A1", "units": 3}], metadata={"kind": "merge"})
    return Path(settings.lake_root) / projects.main(NAME)


def test_a_commit_that_no_change_request_made_is_named(settings: Settings) -> None:
    folder = table(settings)
    assert bad(governed.strangers(settings)) == []
    write_deltalake(
        DeltaTable(folder),
        pa.table({"shelf_id": ["A2"], "units": pa.array([9], pa.int64())}),
        mode="append",
    )
    (finding,) = bad(governed.strangers(settings))
    assert "has version 2 (WRITE), which no change request made" in finding.message
    assert "outside" in finding.fix


def test_damage_of_a_governed_table_is_mended_in_its_owners_way(
    lakeshelf: Run, settings: Settings
) -> None:
    folder = table(settings)
    next(folder.glob("*.parquet")).unlink()
    done = lakeshelf("--lake", settings.lake_root, "lake", "doctor", NAME)
    assert done.code == 2
    assert f"`lakeshelf --lake {settings.lake_root} data publish {NAME} --all`" in done.out
    assert "lake repair" not in done.out


def test_a_broken_chain_of_the_audit_is_told_by_its_own_examination(
    lakeshelf: Run, settings: Settings
) -> None:
    with Metadata.open(settings.governance_place) as metadata, metadata.transaction() as tx:
        tx.audit.add(ACT)
    assert lakeshelf("--lake", settings.lake_root, "doctor", "audit").code == 0
    with Metadata.open(settings.governance_place) as metadata, metadata.transaction() as tx:
        without_triggers(tx, "UPDATE audit_event SET \"user\" = 'eve'")
    done = lakeshelf("--lake", settings.lake_root, "doctor", "audit", "--json")
    assert done.code == 1
    (check,) = json.loads(done.out)["checks"]
    assert check["message"] == "the audit of retail is broken at event 1: it was changed"
    assert f"`lakeshelf --lake {settings.lake_root} sql" in check["fix"]
    assert "did you mean audit" in lakeshelf("--lake", settings.lake_root, "doctor", "audti").error
