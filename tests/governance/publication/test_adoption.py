"""What others send: new keys enter as they stand, keys of the dataset stay its own, whatever version others claim."""

from __future__ import annotations

from typing import Any

import pytest

from lakeshelf import crash
from lakeshelf.governance.publication import adoption, binding, incoming, verdict
from tests.governance.publication.bench import TOPIC, Bench

pytestmark = pytest.mark.slow
ANN = "ann"


def base(bench: Bench) -> int | None:
    return binding.base_of(bench.table.opened().snapshot.handle, TOPIC.name)


def test_new_keys_enter_as_they_stand_and_are_not_sent_back(bench: Bench) -> None:
    bench.tell("s1", 1, 11)
    bench.tell("s2", 1, 12)
    (done,) = bench.adopt()
    assert (done.rows, done.foreign) == (2, ())
    assert bench.values() == {"s1": 11, "s2": 12}
    entry = bench.table.lake.history(bench.table.folder.name, 1)[0]
    assert entry.metadata == {"kind": "adopt"}
    assert bench.publish().rows == 0
    assert len(bench.messages()) == 2


def test_a_key_that_was_adopted_is_sent_once_it_is_edited_and_no_other(bench: Bench) -> None:
    for n in range(20):
        bench.tell(f"s{n}", 1, n)
    bench.adopt()
    bench.edit(s3=30)
    assert bench.publish().rows == 1
    assert bench.in_force() == bench.main()
    assert bench.values()["s3"] == 30


def test_an_opening_that_is_sent_again_is_nothing(bench: Bench) -> None:
    bench.tell("s1", 1, 11)
    bench.adopt()
    bench.tell("s1", 1, 11)
    version = bench.table.opened().version
    with_note = bench.adopt()
    assert with_note == []
    assert bench.table.opened().version == version + 1, "how far was read"
    assert bench.adopt() == []
    assert bench.table.opened().version == version + 1


def high_version(bench: Bench) -> None:
    bench.edit(s1=1)
    bench.publish()
    bench.tell("s1", 500, 99)
    assert bench.in_force() == {"s1": (99, ANN)}
    (done,) = bench.adopt()
    assert [(f.key, f.version, f.offset) for f in done.foreign] == [("s1", 500, 1)]
    bench.publish()


def test_a_foreign_message_of_a_high_version_is_overruled(bench: Bench) -> None:
    high_version(bench)
    assert base(bench) == 500
    assert bench.in_force() == bench.main() == {"s1": (1, ANN)}
    bench.edit(s1=2)
    bench.settle()
    assert bench.in_force() == bench.main() == {"s1": (2, ANN)}


def test_without_a_base_that_rises_it_would_stay(bench: Bench, monkeypatch: Any) -> None:
    monkeypatch.setattr(verdict, "_raised", lambda known, _: known.base)
    high_version(bench)
    assert bench.in_force() == {"s1": (99, ANN)} != bench.main()


def test_a_high_version_that_is_adopted_is_overruled_by_the_next_edit(bench: Bench) -> None:
    bench.tell("s1", 500, 99)
    bench.adopt()
    bench.edit(s1=2)
    bench.publish()
    assert bench.in_force() == bench.main() == {"s1": (2, ANN)}


def test_a_foreign_message_of_an_old_version_is_not_the_last_of_its_key(bench: Bench) -> None:
    bench.tell("s1", 1, 11)
    bench.adopt()
    bench.edit(s1=1)
    bench.publish()
    bench.tell("s1", 1, 11)
    bench.settle()
    assert bench.messages()[-1]["min_qty"] == 1, "compaction keeps the last one"


def test_a_deleted_key_that_the_simulation_sends_again_stays_deleted(bench: Bench) -> None:
    bench.tell("s1", 1, 11)
    bench.adopt()
    bench.edit(s1=None)
    bench.tell("s1", 1, 11)
    (done,) = bench.adopt()
    assert (done.rows, len(done.foreign)) == (0, 1)
    bench.settle()
    assert bench.values() == {}
    assert bench.messages()[-1]["deleted"]
    bench.tell("s1", 1, 11)
    bench.settle()
    assert bench.values() == bench.in_force() == {}


def own_messages(bench: Bench) -> list[adoption.Adopted]:
    bench.edit(s1=1)
    bench.publish()
    bench.edit(s1=2)
    return bench.adopt()


def test_its_own_messages_are_no_foreign_ones(bench: Bench) -> None:
    assert own_messages(bench) == []


def test_without_their_header_they_would_be(bench: Bench, monkeypatch: Any) -> None:
    monkeypatch.setattr(incoming, "origin", lambda _: None)
    (done,) = own_messages(bench)
    assert len(done.foreign) == 1


def test_a_tombstone_of_an_unknown_key_is_remembered_when_an_older_value_comes(
    bench: Bench,
) -> None:
    bench.tell("s1", 5, None)
    bench.adopt()
    bench.tell("s1", 1, 11)
    bench.settle()
    assert bench.in_force() == bench.main() == {"s1": (11, ANN)}


def test_what_the_contract_refuses_is_no_message(bench: Bench) -> None:
    bench.edit(s1=1)
    bench.publish()
    bench.sent.records(TOPIC.name, [b"s1", b"s2"], [b"{}", b"no json"])
    bench.sent.flush()
    assert bench.adopt() == []
    assert bench.in_force() == bench.main()


def test_a_topic_made_anew_is_read_from_its_beginning(bench: Bench) -> None:
    bench.tell("s1", 1, 11)
    bench.adopt()
    bench.make_topic()
    bench.tell("s2", 1, 12)
    bench.settle()
    assert bench.values() == {"s1": 11, "s2": 12}
    assert bench.in_force() == bench.main()


@pytest.mark.faults
@pytest.mark.parametrize("point", crash.ADOPTION_POINTS)
def test_an_adoption_killed_anywhere_takes_each_key_once(bench: Bench, point: str) -> None:
    bench.edit(s1=1)
    bench.publish()
    bench.tell("s1", 300, 99)
    bench.tell("s2", 1, 12)
    bench.killed("adopt", point)
    bench.settle()
    assert bench.values() == {"s1": 1, "s2": 12}
    assert bench.in_force() == bench.main()
    rows = bench.table.opened().reader().read_all()
    assert rows.num_rows == 2


def test_others_that_are_quicker_have_it_judged_again(bench: Bench, monkeypatch: Any) -> None:
    bench.tell("s1", 1, 11)
    judged, edited = adoption.judged, []

    def overtaken(*known: Any) -> verdict.MessageVerdict:
        if not edited:
            edited.append(bench.edit(s1=1))
        return judged(*known)

    monkeypatch.setattr(adoption, "judged", overtaken)
    (done,) = bench.adopt()
    assert (done.rows, len(done.foreign)) == (0, 1)
    bench.settle()
    assert bench.in_force() == bench.main() == {"s1": (1, ANN)}
