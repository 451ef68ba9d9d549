"""Random histories of a dataset and its topic: whoever is killed, at rest the topic says what the dataset says."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakeshelf import crash
from tests.governance.publication.bench import Bench

pytestmark = [pytest.mark.slow, pytest.mark.faults]
KEYS, QUANTITIES = st.sampled_from(["s1", "s2", "s3"]), st.integers(1, 3)
Act = tuple[Any, ...]


class _Killed(BaseException):
    """The process is no more."""


@contextmanager
def killed_at(point: str | None) -> Iterator[None]:
    """What is done in here ends at a crash point, if it comes there."""

    def passed(name: str, _: int | None = None) -> None:
        if name == point:
            raise _Killed

    before, crash.point = crash.point, passed
    try:
        yield
    except _Killed:
        pass
    finally:
        crash.point = before


def publish(bench: Bench, point: str | None, whole: bool) -> None:
    with killed_at(point):
        bench.publish(whole=whole)


def adopt(bench: Bench, point: str | None) -> None:
    with killed_at(point):
        bench.adopt()


def edit(bench: Bench, rows: Mapping[str, int | None]) -> None:
    there = bench.main()
    bench.edit(**{key: n for key, n in rows.items() if n is not None or key in there})


def tell(bench: Bench, key: str, ahead: int | None, quantity: int | None) -> None:
    """Somebody else's message: an opening, or one of a version around what is sent next."""
    highest = max((row["version"] for row in bench.messages()), default=0)
    bench.tell(key, 1 if ahead is None else max(1, highest + ahead), quantity)


POINTS = (*crash.PUBLICATION_POINTS, None)
ACTS = st.one_of(
    st.tuples(st.just(edit), st.dictionaries(KEYS, st.none() | QUANTITIES, min_size=1)),
    st.tuples(st.just(tell), KEYS, st.none() | st.integers(-2, 4), st.none() | QUANTITIES),
    st.tuples(st.just(publish), st.sampled_from(POINTS), st.booleans()),
    st.tuples(st.just(adopt), st.sampled_from((*crash.ADOPTION_POINTS, None))),
    st.just((Bench.make_topic,)),
    st.just((Bench.restarted,)),
)


def lived(client: Mapping[str, str], acts: list[Act]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder) / "lake", client)
        bench.make_topic()
        bench.make()
        for act, *how in acts:
            act(bench, *how)
        bench.settle()
        assert bench.in_force() == bench.main()
        last = {row["shelf_id"]: row for row in bench.messages()}
        told = {key: row["min_qty"] for key, row in last.items() if not row["deleted"]}
        owned = {key: n for key, n in told.items() if key in bench.main()}
        assert owned == bench.values(), "what compaction keeps"


@settings(max_examples=10)
@given(acts=st.lists(ACTS, min_size=4, max_size=9))
def test_at_rest_the_topic_says_what_the_dataset_says(
    client: Mapping[str, str], acts: list[Act]
) -> None:
    lived(client, acts)


@pytest.mark.nightly
@settings(max_examples=400)
@given(acts=st.lists(ACTS, min_size=6, max_size=20))
def test_at_rest_the_topic_says_what_the_dataset_says_after_long_histories(
    client: Mapping[str, str], acts: list[Act]
) -> None:
    lived(client, acts)
