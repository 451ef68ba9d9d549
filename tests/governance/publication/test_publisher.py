"""What is merged goes to the topic as it is, once it is there it is never stale, and a kill changes nothing of that."""

from __future__ import annotations

from typing import Any

import pytest
from deltalake import write_deltalake

from lakeshelf import crash
from lakeshelf.contracts.layers import Ops
from lakeshelf.governance.errors import GovernanceError
from lakeshelf.governance.publication import binding
from lakeshelf.governance.publication.publisher import NOT_BOUND, PUBLISHER, MergePublisher, own
from lakeshelf.governance.storage.main import TOPIC as TOPIC_PROPERTY
from lakeshelf.kafka.consuming import records
from lakeshelf.lake import Conflict, Lake
from lakeshelf.lake.history import cursors, feed, touching
from lakeshelf.lake.rows.diff import CHANGE_TYPE
from lakeshelf.streams.take.refusal import header
from tests.governance.publication.bench import TOPIC, Bench, policy

pytestmark = pytest.mark.slow
ANN = "ann"


def recorded(bench: Bench) -> list[tuple[str, int, bool]]:
    rows = Lake(bench.root).read(Ops.PUBLICATIONS).read_all().to_pylist()
    return sorted((row["key"], row["version"], row["deleted"]) for row in rows)


def test_rows_that_were_merged_are_sent_and_rows_that_went_leave_tombstones(bench: Bench) -> None:
    assert bench.edit(s1=1, s2=2) == 2
    assert bench.publish().rows == 2
    assert bench.in_force() == bench.main() == {"s1": (1, ANN), "s2": (2, ANN)}
    assert bench.edit(s1=None) == 3
    assert bench.publish().tombstones == 1
    assert bench.in_force() == bench.main() == {"s2": (2, ANN)}
    assert [row["version"] for row in bench.messages()] == [2, 2, 3]
    assert recorded(bench) == [("s1", 2, False), ("s1", 3, True), ("s2", 2, False)]


def test_a_message_says_whose_it_is_and_when_its_row_was_merged(bench: Bench) -> None:
    version = bench.edit(s1=1)
    bench.publish()
    opened = bench.table.opened()
    (message,) = records(bench.client, TOPIC.name)
    assert header(message, "producer") == TOPIC.owner
    assert header(message, "origin") == own(opened.snapshot.table_id)
    (row,) = bench.messages()
    (entry,) = bench.table.lake.history(bench.table.folder.name, 1)
    assert (row["version"], row["updated_at"]) == (version, entry.committed_at)


def test_one_row_of_many_that_changed_is_one_message(bench: Bench) -> None:
    bench.edit(**{f"s{n}": n for n in range(2_000)})
    bench.publish()
    bench.edit(s7=70)
    assert bench.publish().rows == 1
    assert len(bench.messages()) == 2_001


def test_nothing_is_sent_for_commits_without_rows(bench: Bench) -> None:
    bench.edit(s1=1)
    bench.publish()
    bench.table.opened().fence(("fence", 1), {"kind": "fence"})
    bench.table.opened().snapshot.handle.optimize.compact()
    done = bench.publish()
    assert (done.rows, done.tombstones) == (0, 0)
    assert len(bench.messages()) == 1


def around_a_kill(bench: Bench) -> None:
    """A is sent; B is sent, but the process is killed before it notes that; A again."""
    bench.edit(s1=1)
    bench.publish()
    bench.edit(s1=2)
    bench.killed("publish", "after_rows")
    assert bench.in_force() == {"s1": (2, ANN)}
    bench.edit(s1=1)
    bench.publish()


@pytest.mark.faults
def test_what_went_from_a_to_b_and_back_around_a_kill_is_a(bench: Bench) -> None:
    around_a_kill(bench)
    assert bench.in_force() == bench.main() == {"s1": (1, ANN)}


@pytest.mark.faults
def test_by_the_net_change_it_would_stay_b(bench: Bench, monkeypatch: Any) -> None:
    def net(handle: Any, name: str, start: int, end: int, key: Any) -> Any:
        rows = feed.between(handle, name, start, end, key)().read_all()
        kept = rows.drop_columns([c for c in rows.column_names if c not in key or c == CHANGE_TYPE])
        return kept.to_reader

    monkeypatch.setattr(touching, "between", net)
    around_a_kill(bench)
    assert bench.in_force() == {"s1": (2, ANN)} != bench.main()


@pytest.mark.faults
@pytest.mark.parametrize("point", crash.PUBLICATION_POINTS)
def test_a_publisher_killed_anywhere_loses_nothing_and_leaves_nothing_stale(
    bench: Bench, point: str
) -> None:
    bench.edit(s1=1, s2=2, s3=3)
    bench.publish()
    bench.edit(s1=10, s2=None)
    bench.killed("publish", point)
    bench.edit(s1=1, s4=4)
    bench.publish()
    assert bench.in_force() == bench.main()
    assert bench.values() == {"s1": 1, "s3": 3, "s4": 4}
    assert bench.publish().rows == 0


def test_a_topic_made_anew_gets_everything_above_what_it_held(bench: Bench) -> None:
    bench.edit(s1=1, s2=2)
    bench.edit(s2=None)
    bench.publish()
    first = bench.topic_id
    bench.make_topic()
    assert bench.messages() == []
    done = bench.publish()
    assert (done.rows, done.tombstones) == (1, 1)
    assert bench.in_force() == bench.main() == {"s1": (1, ANN)}
    readers = {consumer.id for consumer, _ in cursors.consumers(bench.table.folder.root)}
    assert readers == {f"{PUBLISHER}-{bench.topic_id}"} != {f"{PUBLISHER}-{first}"}


def test_a_dataset_bound_anew_speaks_above_all_that_the_topic_holds(bench: Bench) -> None:
    for n in range(5):
        bench.edit(s1=n, s2=n)
    bench.publish()
    bench.restarted()
    assert binding.base_of(bench.table.opened().snapshot.handle, TOPIC.name) == 6
    bench.settle()
    assert bench.values() == {"s1": 4, "s2": 4}
    bench.edit(s1=7)
    bench.settle()
    assert bench.in_force() == bench.main() == {"s1": (7, ANN), "s2": (4, ANN)}


def test_everything_is_sent_when_it_is_asked_for(bench: Bench) -> None:
    bench.edit(s1=1, s2=2)
    bench.edit(s2=None)
    bench.publish()
    done = bench.publish(whole=True)
    assert (done.rows, done.tombstones) == (1, 1)
    assert bench.in_force() == bench.main()


def test_a_dataset_that_is_not_bound_waits_and_says_so(bench: Bench) -> None:
    bench.restarted()
    (bench.root / bench.table.folder.main / "_delta_log" / f"{1:020}.json").unlink()
    with pytest.raises(GovernanceError, match="retail/shelf_policies is not bound") as error:
        bench.publish()
    assert error.value.code == NOT_BOUND
    assert binding.ensure_bound(bench.table, bench.client)
    assert not binding.ensure_bound(bench.table, bench.client)
    bench.edit(s1=1)
    bench.publish()
    assert bench.in_force() == bench.main()


def outside(bench: Bench) -> int:
    """Somebody who asks nobody writes the table by another tool; the version."""
    handle = bench.table.opened().snapshot.handle
    schema = bench.table.definition.schema
    rows = schema.empty_table().from_pylist([{"shelf_id": "s9", **policy(9)}], schema)
    write_deltalake(handle, rows, mode="append")
    return bench.table.opened().version


def test_a_commit_of_others_stops_publication_until_it_is_taken_up(bench: Bench) -> None:
    bench.edit(s1=1)
    bench.publish()
    version = outside(bench)
    bench.edit(s1=2)
    for _ in range(2):
        with pytest.raises(GovernanceError, match=f"has version {version} .WRITE."):
            bench.publish()
    assert bench.in_force() == {"s1": (1, ANN)}
    bench.table.opened().fence(("cr:2", 1), {"kind": "outside", "takes_up": version})
    bench.publish()
    assert bench.in_force() == bench.main() == {"s1": (2, ANN), "s9": (9, ANN)}


def test_of_two_publishers_one_moves_the_cursor(bench: Bench) -> None:
    bench.edit(s1=1)
    lake = Lake(bench.root, writer=PUBLISHER)
    slow = MergePublisher(lake, bench.table, TOPIC, bench.sent)
    send = slow._record

    def overtaken(*what: Any) -> None:
        bench.publish()
        send(*what)

    slow._record = overtaken  # type: ignore[method-assign]
    slow.publish(bench.topic_id)
    assert recorded(bench) == [("s1", 2, False)]
    assert bench.in_force() == bench.main()


def test_a_version_that_has_nothing_above_it_stops_publication(bench: Bench) -> None:
    bench.tell("s1", 2**63 - 1, 5)
    bench.adopt()
    bench.edit(s1=6)
    with pytest.raises(GovernanceError, match="would need a version above 9223372036854775807"):
        bench.publish()


def test_the_table_names_owner_and_topic_and_every_other_door_is_refused(bench: Bench) -> None:
    name, handle = bench.table.folder.name, bench.table.opened().snapshot.handle
    properties = handle.metadata().configuration
    assert properties["lakeshelf.owner"] == "governance"
    assert properties[TOPIC_PROPERTY] == TOPIC.name
    row = {"shelf_id": "s1", **policy(1)}
    lake = Lake(bench.root, writer=PUBLISHER)
    for write in (
        lambda: lake.append(name, [row]),
        lambda: lake.merge(name, [row]),
        lambda: lake.overwrite(name, [row]),
        lambda: lake.delete(name, [("shelf_id", "=", "s1")]),
        lambda: lake.note(name),
        lambda: lake.restore(name, 0),
    ):
        with pytest.raises(Conflict, match="governance"):
            write()
    assert bench.table.opened().version == 1
