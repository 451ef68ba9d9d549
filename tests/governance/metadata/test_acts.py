"""What staff of the shop asks for, and what became of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy.exc import IntegrityError

from lakeshelf.governance.metadata import Metadata
from lakeshelf.governance.metadata.tables.acts import Act
from tests.governance.conftest import NOW
from tests.governance.metadata.shop import HOUR, code

MESSAGE = {"event_id": "e1", "target_id": "a1", "reason": "seen"}
ACT = Act("e1", "ben", "r1", "ack", "a1", "seen", "commands", MESSAGE, "asked", None, NOW)


def acts(count: int) -> list[Act]:
    """Acts of one call, each a second after the one before."""
    return [
        replace(ACT, id=f"e{n}", target=f"a{n}", asked_at=NOW + timedelta(seconds=n))
        for n in range(count)
    ]


def test_acts_are_listed_the_newest_first_by_pages(metadata: Metadata) -> None:
    with metadata.transaction() as tx:
        for act in acts(5):
            tx.acts.add(act)
        tx.acts.add(replace(ACT, id="x", user="cat", target="a0", asked_at=NOW - HOUR))
        assert tx.acts.get("e3") == acts(5)[3]
        assert code(lambda: tx.acts.get("e9")) == "not_found"
        pages = [tx.acts.all({}, offset, 2) for offset in (0, 2, 4, 6)]
        assert [act.id for page, _ in pages for act in page] == ["e4", "e3", "e2", "e1", "e0", "x"]
        assert {total for _, total in pages} == {6}
        assert [act.id for act in tx.acts.all({"user": ["cat"]})[0]] == ["x"]
        assert tx.acts.all({"user": ["ben"], "target": ["a0", "a9"]})[1] == 1
        assert {act.id for act in tx.acts.of_call("ben", "r1", "ack")} == {a.id for a in acts(5)}
        assert tx.acts.of_call("ben", "r1", "dismiss") == []


def test_of_each_target_the_newest_act_is_told(metadata: Metadata) -> None:
    with metadata.transaction() as tx:
        for act in acts(3):
            tx.acts.add(act)
        later = replace(ACT, request_id="r2", asked_at=NOW + HOUR)
        tx.acts.add(replace(later, id="y", target="a0"))
        tx.acts.add(replace(later, id="z", target="a1", command="dismiss"))

        def newest(**among: list[str]) -> tuple[list[str], int]:
            told, total = tx.acts.all(among, is_newest=True)
            return [act.id for act in told], total

        assert newest() == (["y", "z", "e2"], 3)
        assert newest(target=["a0", "a2"]) == (["y", "e2"], 2)
        assert newest(command=["ack"]) == (["y", "e2", "e1"], 3)
        assert [act.id for act in tx.acts.all({}, 1, 1, is_newest=True)[0]] == ["z"]


def test_what_became_of_an_act_is_remembered_once(metadata: Metadata) -> None:
    with metadata.transaction() as tx:
        for act in acts(3):
            tx.acts.add(act)
        tx.acts.sent(acts(2), NOW + HOUR)
        assert [tx.acts.get(f"e{n}").sent_at for n in range(3)] == [NOW + HOUR, NOW + HOUR, None]
        tx.acts.settle("e0", None, NOW + HOUR)
        tx.acts.settle("e1", "it is over", NOW + HOUR)
        tx.acts.settle("e0", "too late", NOW + 2 * HOUR)
        states = [
            (act.state, act.refusal, act.settled_at) for act in map(tx.acts.get, ("e0", "e1"))
        ]
        assert states == [("done", None, NOW + HOUR), ("refused", "it is over", NOW + HOUR)]
        assert [act.id for act in tx.acts.all({"state": ["asked"]})[0]] == ["e2"]


def test_one_call_asks_one_thing_of_a_target_once(metadata: Metadata) -> None:
    with metadata.transaction() as tx:
        tx.acts.add(ACT)
    with pytest.raises(IntegrityError), metadata.transaction() as tx:
        tx.acts.add(replace(ACT, id="e2"))
    with metadata.transaction() as tx:
        for other in ({"user": "cat"}, {"request_id": "r2"}, {"command": "dismiss"}):
            tx.acts.add(replace(ACT, id=str(other), **other))
        assert tx.acts.all({})[1] == 4


def test_acts_are_forgotten_when_their_time_is_over(metadata: Metadata) -> None:
    with metadata.transaction() as tx:
        for act in acts(3):
            tx.acts.add(act)
        assert tx.acts.forget(NOW + timedelta(seconds=1)) == 2
        assert [act.id for act in tx.acts.all({})[0]] == ["e2"]
