"""Ways out: a rebuild gives the same tables; a gap that retention made is accepted with a ledger row."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient

from lakeshelf.cli.platform import scaffolding, whole
from lakeshelf.contracts import CATALOG, project
from lakeshelf.errors import ConfigurationError, LakeError, StreamError
from lakeshelf.kafka import topics
from lakeshelf.lake.rows import tables
from lakeshelf.settings import Settings
from lakeshelf.streams.commit import ledger
from lakeshelf.streams.declare import registry
from lakeshelf.streams.declare.job import Job
from lakeshelf.streams.recover import recovery
from lakeshelf.streams.resume import checkpoint
from lakeshelf.streams.resume.starting import REBUILD_MARKER
from lakeshelf.streams.run.runner import Driver
from tests.streams import harness, model
from tests.streams.messages import plain
from tests.streams.strategies import TIMES, Record, catalog_message, event, facts, receipt

BOOKS = ("raw/quarantine", ledger.LEDGER)


def moved(topic: str, number: int, kind: str, quantity: int, lot: str | None = None) -> Record:
    fields = {"event_type": kind, "shelf_id": "S1-I1", "item_id": "I1", "batch_code": lot}
    return topic, event(topic, number, TIMES[number % 5], **fields, quantity=quantity)


def sold(number: int, quantity: int) -> Record:
    line = {"shelf_id": "S1-I1", "quantity": quantity}
    return "pos_transactions", receipt(number, TIMES[0], [line])


FIRST = [
    moved("wh_events", 1, "wh_in", 9, "L1"),
    moved("wh_events", 2, "wh_out", 4, "L1"),
    moved("shelf_events", 3, "restock", 4, "L1"),
    ("batch_catalog", catalog_message("L1", 3, expiry_date=model.date(2017, 1, 9))),
    sold(4, 6),
]
SECOND = [
    moved("shelf_events", 5, "pickup", 7),
    moved("wh_events", 6, "wh_removal", 8, "L1"),
    FIRST[0],
    FIRST[4],
    sold(7, 1),
]


def folding_jobs() -> list[Job]:
    return [harness.jobs()[name] for name in harness.FOLDING]


def read_catalogue_again(lake: Path) -> None:
    """What a query does first after a rebuild: compacted topics keep what they hold."""
    harness.Runner(lake, app_id="the catalogue").run(0, [FIRST[3]])


@pytest.fixture
def lake(settings: Settings) -> Path:
    root = harness.make(settings.lake_root, harness.folding())
    for name in BOOKS:
        tables.ensure(root, CATALOG.tables[name])
    return root


@pytest.mark.slow
def test_a_rebuild_gives_the_tables_that_were_there(settings: Settings, lake: Path) -> None:
    runner = harness.Runner(lake, ledger=True)
    runner.run(0, FIRST)
    runner.run(1, SECOND)
    before, versions = harness.state(lake), harness.versions(lake)
    assert before == model.tables(facts([*FIRST, SECOND[0], SECOND[1], SECOND[4]]))
    done = recovery.rebuild(settings, folding_jobs())
    assert done.folded == 7
    read_catalogue_again(lake)
    assert harness.state(lake) == before
    after = harness.versions(lake)
    assert {key for key, version in versions.items() if after[key] < version} == set()
    assert not (settings.stack_dir / REBUILD_MARKER).exists()


@pytest.mark.slow
def test_a_rebuild_goes_on_at_exactly_the_offsets_that_it_folded(
    settings: Settings, lake: Path
) -> None:
    """Rows of a batch that did not come to its end stand in raw; they count when it is repeated."""
    runner = harness.Runner(lake, ledger=True)
    runner.run(0, FIRST)
    runner.restart(commits=3)
    with pytest.raises(harness.Crash):
        runner.run(1, SECOND)
    assert tables.row_count(lake, "raw/shelf_events") == 2
    recovery.rebuild(settings, folding_jobs())
    events = [record for record in FIRST if record[0] != "batch_catalog"]
    assert harness.state(lake) == model.tables(facts(events))
    begun = checkpoint.current(settings.checkpoint_dir, harness.folding().name)
    assert begun.starting["shelf_events"] == {"0": 1} or begun.starting["shelf_events"] == {"1": 1}
    assert {row["kind"] for row in ledger.entries(lake)} == {"batch", "rebuild"}
    assert "batch_catalog" not in begun.starting, "compacted topics are read from their start"
    read_catalogue_again(lake)
    runner.again(2)
    assert harness.state(lake) == model.tables(facts([*FIRST, SECOND[0], SECOND[1], SECOND[4]]))
    assert tables.row_count(lake, "raw/shelf_events") == 2, "raw holds each place once"


@pytest.fixture
def own_job(settings: Settings, tmp_path: Path) -> Iterator[Job]:
    """A job of a project that counts shelf events."""
    app = scaffolding.App(scaffolding.JOB, "moves-by-day", "shelf_events")
    whole.write(tmp_path / "project", app.of_project())
    project.include(tmp_path / "project")
    yield registry.discover(settings.home, tmp_path / "project")[app.name]
    project.include(None)


@pytest.mark.slow
def test_a_rebuild_folds_the_table_of_a_project_from_the_beginning_and_once(
    settings: Settings, lake: Path, own_job: Job
) -> None:
    harness.Runner(lake, ledger=True).run(0, FIRST)
    tables.ensure(lake, CATALOG.tables["own/moves_by_day"])
    for _ in range(2):
        recovery.rebuild(settings, [*folding_jobs(), own_job])
        (row,) = tables.rows(lake, "own/moves_by_day").to_pylist()
        assert (row["event_type"], row["events"]) == ("restock", 1)


@pytest.mark.slow
def test_an_interrupted_rebuild_is_noticed_by_the_next_start_and_can_be_repeated(
    settings: Settings, lake: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner = harness.Runner(lake, ledger=True)
    runner.run(0, FIRST)
    before = harness.state(lake)
    with monkeypatch.context() as patched:
        patched.setattr(recovery.checkpoint, "begin", _interrupt)
        with pytest.raises(KeyboardInterrupt):
            recovery.rebuild(settings, folding_jobs())
    driver = Driver(folding_jobs(), settings, {})
    with pytest.raises(StreamError, match=r"a rebuild .* was interrupted.*lakeshelf rebuild"):
        driver.acquire()
    recovery.rebuild(settings, folding_jobs())
    driver.acquire()
    driver.release()
    read_catalogue_again(lake)
    assert harness.state(lake) == before


def test_a_rebuild_is_refused_while_the_jobs_run(settings: Settings, lake: Path) -> None:
    running = Driver(folding_jobs(), settings, {})
    running.acquire()
    with pytest.raises(LakeError, match="streams driver"):
        recovery.rebuild(settings, folding_jobs())
    running.release()
    assert not (settings.stack_dir / REBUILD_MARKER).exists()


@pytest.mark.slow
def test_a_rebuild_without_a_filter_on_offsets_would_be_noticed(
    settings: Settings, lake: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner = harness.Runner(lake, ledger=True)
    runner.run(0, FIRST)
    runner.restart(commits=3)
    with pytest.raises(harness.Crash):
        runner.run(1, SECOND)
    everything: Callable[..., object] = lambda rows, *_: [True] * rows.num_rows  # noqa: E731
    monkeypatch.setattr(recovery, "_covered", everything)
    recovery.rebuild(settings, folding_jobs())
    read_catalogue_again(lake)
    assert harness.state(lake) != model.tables(facts(FIRST))


@pytest.fixture
def visits(settings: Settings) -> list[Job]:
    """The job that mirrors foot traffic, and its tables."""
    job = harness.jobs()["foot-traffic-raw-sink"]
    for name in (*job.tables, *BOOKS):
        tables.ensure(settings.lake_root, CATALOG.tables[name])
    return [job]


@pytest.mark.slow
def test_a_gap_that_retention_made_is_accepted_and_written_down(
    settings: Settings, client: dict[str, str], visits: list[Job]
) -> None:
    from tests.streams.pipeline import send

    name = visits[0].name
    send(client, [plain(CATALOG.topics["foot_traffic"], "entry")] * 6)
    ends = topics.end_offsets(client, ["foot_traffic"])["foot_traffic"]
    partition = next(p for p, end in ends.items() if end >= 6)
    cut = TopicPartition("foot_traffic", int(partition), ends[partition] - 2)
    admin = AdminClient(dict(client))
    for future in admin.delete_records([cut]).values():
        future.result()
    lost = recovery.accept_gap(settings, visits, client, name)
    assert lost["foot_traffic"][partition] == (0, ends[partition] - 2)
    begun = checkpoint.current(settings.checkpoint_dir, name)
    assert begun.starting["foot_traffic"][partition] == ends[partition] - 2
    (row,) = ledger.entries(settings.lake_root)
    assert (row["kind"], row["query"]) == ("gap_accepted", name)
    assert row["offsets"]["foot_traffic"][partition] == [0, ends[partition] - 2]
    assert recovery.accept_gap(settings, visits, client, name) == {}, "a gap is accepted once"


@pytest.mark.slow
def test_no_gap_is_accepted_where_tables_are_ahead_of_the_ledger(
    settings: Settings, client: dict[str, str], lake: Path
) -> None:
    found = harness.folding()
    begun = checkpoint.current(settings.checkpoint_dir, found.name)
    begun.path.mkdir(parents=True)
    (begun.path / "metadata").write_text('{"id": "query"}')
    runner = harness.Runner(lake, ledger=True)
    runner.run(0, FIRST)
    runner.restart(commits=5)
    with pytest.raises(harness.Crash):
        runner.run(1, SECOND)
    with pytest.raises(StreamError, match=r"holds batch 1, the ledger of .* ends at 0.*rebuild"):
        recovery.accept_gap(settings, folding_jobs(), client, found.name)


def test_an_unknown_query_has_no_gap(settings: Settings) -> None:
    with pytest.raises(ConfigurationError, match="no query 'nothing'"):
        recovery.accept_gap(settings, folding_jobs(), {}, "nothing")


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt
