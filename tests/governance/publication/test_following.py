"""The publisher at work: one process a lake, a dataset that is stopped beside others that go on."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from lakeshelf.components import registry
from lakeshelf.components.component import Context, Follower
from lakeshelf.contracts import CATALOG
from lakeshelf.errors import LakeError
from lakeshelf.governance.domain.binding import bound
from lakeshelf.governance.publication import binding
from lakeshelf.governance.publication.following import Following, ask_for_all
from lakeshelf.governance.publication.publisher import PUBLISHER
from lakeshelf.governance.storage.layout import Folder
from lakeshelf.governance.storage.main import MainTable
from lakeshelf.lake import Lake
from lakeshelf.settings import load_settings, project_home
from lakeshelf.status_files import PUBLICATION
from tests.governance.publication.bench import TOPIC, Bench
from tests.support import eventually

pytestmark = pytest.mark.slow
DATASET = "retail/shelf_policies"


class Seconds:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def following(bench: Bench, seconds: Callable[[], float] | None = None) -> Following:
    return Following(bench.table.folder.root, stack(bench), bench.client, seconds or Seconds())


def stack(bench: Bench) -> Any:
    return load_settings(lake_root=bench.root).stack_dir


def told(bench: Bench) -> dict[str, dict[str, Any]]:
    return {one["dataset"]: one for one in PUBLICATION.read(stack(bench))["datasets"]}


def test_a_dataset_is_sent_when_it_moves(bench: Bench) -> None:
    follower = following(bench)
    follower.turn()
    bench.edit(s1=1)
    follower.turn()
    assert bench.in_force() == bench.main()
    (health,) = follower.health
    assert (health.state, health.version, health.sent) == ("running", 2, 1)
    follower.turn()
    assert health.sent == 1


def test_a_dataset_that_waits_to_be_bound_says_so_and_stops_no_other(bench: Bench) -> None:
    other = MainTable(
        Folder(bench.table.folder.root, "retail", "wh_policies"),
        bound(CATALOG.topics["wh_policies"]),
    )
    other.create()
    seconds = Seconds()
    follower = following(bench, seconds)
    bench.edit(s1=1)
    follower.turn()
    assert bench.in_force() == bench.main()
    states = told(bench)
    assert states[DATASET]["state"] == "running"
    assert states["retail/wh_policies"]["state"] == "waiting"
    assert states["retail/wh_policies"]["reason"] == (
        "nothing goes to wh_policies: retail/wh_policies is not bound to it yet; "
        "wait for the service, which binds it"
    )
    binding.ensure_bound(other, bench.client)
    seconds.now += 10
    follower.turn()
    assert told(bench)["retail/wh_policies"]["state"] == "running"
    assert told(bench)["retail/wh_policies"]["since"] is None


def test_a_table_that_cannot_be_read_says_so_and_stops_no_other(bench: Bench) -> None:
    log = bench.root / "projects" / "retail" / "datasets" / "broken" / "main" / "_delta_log"
    log.mkdir(parents=True)
    (log / f"{0:020}.json").write_text("no log")
    follower = following(bench)
    bench.edit(s1=1)
    follower.turn()
    assert bench.in_force() == bench.main()
    assert told(bench)["retail/broken"]["state"] == "stopped"
    assert "retail/broken" in told(bench)["retail/broken"]["reason"]


def test_a_topic_that_is_made_anew_meanwhile_gets_everything(bench: Bench) -> None:
    seconds = Seconds()
    follower = following(bench, seconds)
    bench.edit(s1=1)
    follower.turn()
    bench.make_topic()
    seconds.now += 10
    follower.turn()
    assert bench.in_force() == bench.main() == {"s1": (1, "ann")}


def test_everything_is_sent_once_when_somebody_asks(bench: Bench) -> None:
    follower = following(bench)
    bench.edit(s1=1)
    follower.turn()
    ask_for_all(stack(bench), DATASET)
    for _ in range(2):
        follower.turn()
    assert len(bench.messages()) == 2


def test_tables_of_others_are_left_alone(bench: Bench) -> None:
    own = replace(bound(TOPIC), topic=None)
    MainTable(Folder(bench.table.folder.root, "retail", "shoes"), own).create()
    Lake(bench.root).append("own/things", [{"shelf_id": "s1"}])
    follower = following(bench)
    follower.turn()
    assert [health.dataset for health in follower.health] == [DATASET]


def component(bench: Bench) -> Follower:
    settings = load_settings(lake_root=bench.root)
    made: Follower = registry.module(project_home(), PUBLISHER).COMPONENT(
        Context(settings, bench.client, Lake(bench.root))
    )
    return made


def test_a_second_process_is_refused_while_the_first_sends(bench: Bench) -> None:
    stop, ready = threading.Event(), threading.Event()
    first = threading.Thread(target=component(bench).run, args=(stop, ready.set))
    first.start()
    try:
        assert ready.wait(60)
        with pytest.raises(LakeError, match=f"is held by component {PUBLISHER}"):
            component(bench).run(stop, pytest.fail)
        bench.edit(s1=1)
        eventually(lambda: bench.in_force() == bench.main(), "it is sent")
    finally:
        stop.set()
        first.join()
    assert len(bench.messages()) == 1
