"""A query goes on exactly where its tables end, or says why not; what was under way comes out once."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient, NewPartitions
from deltalake.schema import Field
from pyspark.sql import SparkSession

from lakeshelf import crash
from lakeshelf.errors import LakeshelfError, StreamError
from lakeshelf.lake.rows import tables
from lakeshelf.streams.commit import ledger
from lakeshelf.streams.declare.plan import plan
from lakeshelf.streams.recover import doubles, recovery
from lakeshelf.streams.resume import checkpoint, continuity
from lakeshelf.streams.take import duplicates
from tests.streams.living import RAW, STATE, Living, copied, ends, moved
from tests.support import eventually

pytestmark = pytest.mark.slow
FIRST = [moved(n) for n in range(6)]
SECOND = [moved(n) for n in range(6, 10)]
QUERY = "shelf-aggregator"


def nightly(*values: object) -> Any:
    """A case that is run at night."""
    return pytest.param(*values, marks=pytest.mark.nightly)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory, spark: SparkSession) -> Path:
    """A lake of six events that was stopped in order."""
    root = tmp_path_factory.mktemp("prepared") / "lake"
    living = Living(root, spark)
    with living.open():
        living.up()
        living.send("shelf_events", [*FIRST, FIRST[0], b"no event"])
        living.up()
    return root


@pytest.fixture
def living(prepared: Path, tmp_path: Path, spark: SparkSession) -> Iterator[Living]:
    """A copy of it, with its broker."""
    made = Living(copied(prepared, tmp_path / "lake"), spark)
    with made.open():
        yield made


def refused(living: Living) -> str:
    """What `up` says."""
    with pytest.raises(StreamError) as told:
        living.up()
    return str(told.value)


def expect(living: Living, events: int) -> None:
    """Books that balance."""
    assert living.balances() == {"A": events}
    assert living.ids() == [moved(n)["event_id"] for n in range(events)]


def lose_checkpoints(living: Living) -> None:
    shutil.rmtree(living.settings.checkpoint_dir)


def test_without_checkpoints_a_query_refuses_and_goes_on_where_the_ledger_ends(
    living: Living,
) -> None:
    lose_checkpoints(living)
    assert "its checkpoint is gone; run `lakeshelf" in refused(living)
    expect(living, 6)
    living.send("shelf_events", SECOND)
    living.mend("continue")
    living.up()
    expect(living, 10)
    numbers = [row["batch_id"] for row in ledger.entries(living.root, QUERY)]
    assert numbers == sorted(set(numbers)), "numbers go on rising"
    assert {row["query_id"] for row in ledger.entries(living.root, QUERY)} == {QUERY}
    assert tables.row_count(living.root, "raw/quarantine") == 1


def test_without_a_look_at_the_ledger_everything_would_be_counted_twice_or_skipped(
    living: Living, monkeypatch: pytest.MonkeyPatch
) -> None:
    lose_checkpoints(living)
    monkeypatch.setattr(continuity, "require", lambda _, standing: standing)
    living.send("shelf_events", SECOND)
    living.up()
    assert living.balances() != {"A": 10}


def crash_at(monkeypatch: pytest.MonkeyPatch, wanted: str) -> Callable[[], None]:
    def point(name: str, _: int) -> None:
        if name == wanted:
            raise RuntimeError(wanted)

    monkeypatch.setattr(crash, "point", point)
    return lambda: monkeypatch.setattr(crash, "point", lambda *_: None)


@pytest.mark.parametrize(
    ("point", "committer"),
    [
        ("between_tables", "driver"),
        nightly("between_tables", "spark"),
        nightly("after_raw", "driver"),
        nightly("after_publish", "driver"),
        nightly("after_ledger", "driver"),
    ],
)
def test_a_batch_that_was_under_way_when_the_checkpoint_was_lost_comes_out_once(
    living: Living,
    spark: SparkSession,
    monkeypatch: pytest.MonkeyPatch,
    point: str,
    committer: str,
) -> None:
    crashing = Living(living.root, spark, committer)
    go_on = crash_at(monkeypatch, point)
    living.send("shelf_events", SECOND[:2])
    assert point in crashing.fail()
    go_on()
    lose_checkpoints(living)
    living.send("shelf_events", SECOND[2:3])
    living.mend("continue")
    living.up()
    expect(living, 9)
    crash_at(monkeypatch, "before_raw")
    living.send("shelf_events", SECOND[3:])
    assert "before_raw" in living.fail()
    go_on()
    living.up()
    expect(living, 10)


@pytest.mark.nightly
def test_an_older_copy_of_a_checkpoint_is_refused(living: Living, tmp_path: Path) -> None:
    shutil.copytree(living.settings.checkpoint_dir, tmp_path / "older")
    living.send("shelf_events", SECOND)
    living.up()
    lose_checkpoints(living)
    shutil.copytree(tmp_path / "older", living.settings.checkpoint_dir)
    assert "its checkpoint stands at shelf_events/0 offset 8, the ledger ends at 12" in refused(
        living
    )
    living.mend("continue")
    living.up()
    expect(living, 10)


def test_a_rebuild_and_a_continuation_read_partitions_that_were_added(living: Living) -> None:
    add_partitions(living)
    living.send("shelf_events", SECOND[:1], partition=3)
    living.up()
    expect(living, 7)
    living.mend("rebuild")
    living.send("shelf_events", SECOND[1:2], partition=3)
    living.send("shelf_events", SECOND[2:3], partition=2)
    living.up()
    expect(living, 9)
    lose_checkpoints(living)
    living.mend("continue")
    living.send("shelf_events", SECOND[3:], partition=3)
    living.up()
    expect(living, 10)


def test_a_gap_is_accepted_after_partitions_were_added(living: Living) -> None:
    add_partitions(living)
    living.send("shelf_events", SECOND[:3])
    cut(living, 10)
    lost = recovery.accept_gap(living.settings, living.jobs, living.client, QUERY)
    assert lost == {"shelf_events": {"0": (8, 10)}}
    living.send("shelf_events", SECOND[3:], partition=3)
    living.up()
    assert living.balances() == {"A": 8}


def cut(living: Living, offset: int) -> None:
    """Let retention take the records below an offset."""
    admin = AdminClient(living.client)

    def done() -> bool:
        asked = admin.delete_records([TopicPartition("shelf_events", 0, offset)])
        return all(future.exception() is None for future in asked.values())

    eventually(done, "records are cut off")


def add_partitions(living: Living) -> None:
    admin = AdminClient(living.client)
    for future in admin.create_partitions([NewPartitions("shelf_events", 4)]).values():
        future.result()
    eventually(lambda: len(ends(living)) == 4, "partitions are there")


def test_a_lake_that_a_newer_version_wrote_is_refused_until_that_one_runs_again(
    living: Living,
) -> None:
    """Nobody here knows what the column means; of rows that nothing else has no rebuild is a way on either."""
    newer = Field("of_a_newer_version", "string", nullable=True)
    tables.open_table(living.root, RAW).alter.add_columns([newer])
    line = f"table {RAW} has columns that this version does not know: of_a_newer_version; run the newer"
    for act in (living.up, lambda: living.mend("continue"), lambda: living.mend("rebuild")):
        with pytest.raises(LakeshelfError, match=line):
            act()
    expect(living, 6)


def test_without_a_topic_that_was_read_a_query_goes_on_where_the_ledger_ends(
    living: Living,
) -> None:
    """As after the way back from a version, or a project, whose jobs read more."""
    living.jobs = [job for job in living.jobs if job.name == QUERY]
    living.plans = plan(living.jobs)
    way = "reads topic batch_catalog, which no job here reads; run `lakeshelf continue`"
    assert way in refused(living)
    living.send("shelf_events", SECOND)
    living.mend("continue")
    living.up()
    expect(living, 10)


@pytest.mark.parametrize("records", [nightly(2), 12])
def test_a_topic_that_was_made_again_is_refused_and_read_from_its_beginning_by_a_rebuild(
    living: Living, records: int
) -> None:
    living.delete_topic()
    living.remake_topic()
    later = [moved(n) for n in range(6, 6 + records)]
    living.send("shelf_events", later)
    assert "topic shelf_events was deleted and made again" in refused(living)
    living.mend("rebuild")
    living.up()
    expect(living, 6 + records)
    lose_checkpoints(living)
    living.mend("rebuild")
    living.up()
    expect(living, 6 + records)
    living.send("shelf_events", FIRST)
    living.up()
    expect(living, 6 + records)


@pytest.fixture
def aged(tmp_path: Path, spark: SparkSession, monkeypatch: pytest.MonkeyPatch) -> Iterator[Living]:
    """A lake whose application id is that of Spark's query, whose ledger names neither topics nor tables."""
    made = Living(tmp_path / "lake", spark)
    begin = checkpoint.begin

    def begin_as_of_old(*given: Any) -> Any:
        begin(*given)
        as_of_old_pointer = given[0] / given[1] / checkpoint.POINTER
        as_of_old_pointer.write_text('{"generation": 0, "starting": {}}')
        return checkpoint.current(given[0], given[1])

    with made.open(), monkeypatch.context() as patched:
        patched.setattr(checkpoint, "begin", begin_as_of_old)
        patched.setattr(ledger.KnownIds, "new", classmethod(lambda *_: ledger.KnownIds()))
        made.up()
        made.send("shelf_events", FIRST)
        made.up()
        patched.undo()
        assert len({row["query_id"] for row in ledger.entries(made.root)}) == 1
        assert ledger.account(made.root, QUERY).app_id != QUERY
        assert ledger.account(made.root, QUERY).table_ids == {}
        yield made


@pytest.mark.nightly
@pytest.mark.parametrize("way", ["", "continue", "rebuild"])
def test_a_lake_of_old_goes_on(aged: Living, way: str) -> None:
    if way:
        lose_checkpoints(aged)
        assert "its checkpoint is gone" in refused(aged)
        aged.mend(way)
    aged.send("shelf_events", SECOND)
    aged.up()
    expect(aged, 10)
    assert ledger.account(aged.root, QUERY).table_ids.keys() >= {RAW, STATE}


def test_a_lake_that_was_doubled_is_mended_by_a_rebuild(
    aged: Living, monkeypatch: pytest.MonkeyPatch
) -> None:
    lose_checkpoints(aged)
    double(aged, monkeypatch)
    assert (aged.balances(), len(aged.ids())) == ({"A": 12}, 12)
    handle = tables.open_table(aged.root, RAW)
    assert doubles.count(handle, RAW) == 6
    aged.mend("rebuild")
    aged.send("shelf_events", SECOND)
    aged.up()
    expect(aged, 10)


def double(living: Living, monkeypatch: pytest.MonkeyPatch) -> None:
    """Go on as releases did that asked neither ledger nor raw."""
    with monkeypatch.context() as patched:
        patched.setattr(continuity, "require", lambda _, standing: standing)
        fates = duplicates.event_fates
        patched.setattr(
            duplicates,
            "event_fates",
            lambda topic: fates(topic).replace(f"'{duplicates.HELD}'", f"'{duplicates.NEW}'"),
        )
        living.up()


@pytest.mark.nightly
def test_a_rebuild_is_refused_where_neither_raw_nor_kafka_has_the_records(living: Living) -> None:
    cut(living, 8)
    shutil.rmtree(living.root / RAW)
    assert "raw/shelf_events is another table than the ledger knows" in refused(living)
    with pytest.raises(StreamError, match="raw/shelf_events lacks 6 rows whose records Kafka"):
        recovery.rebuild(living.settings, living.jobs, client=living.client)
    assert living.balances() == {"A": 6}, "nothing was dropped"


@pytest.mark.nightly
def test_rows_that_nobody_has_any_more_are_given_up_only_when_somebody_says_so(
    living: Living,
) -> None:
    shutil.rmtree(living.root / RAW)
    living.delete_topic()
    living.remake_topic()
    with pytest.raises(StreamError, match=r"lacks 6 rows whose records Kafka.*--accept-loss"):
        recovery.rebuild(living.settings, living.jobs, client=living.client)
    recovery.rebuild(living.settings, living.jobs, client=living.client, accept_loss=True)
    living.send("shelf_events", SECOND)
    living.up()
    assert (living.balances(), len(living.ids())) == ({"A": len(SECOND)}, len(SECOND))
