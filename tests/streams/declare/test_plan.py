"""Which jobs there are, and which of them share a query."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lakeshelf.contracts import CATALOG
from lakeshelf.errors import ConfigurationError, ContractError, LakeshelfError
from lakeshelf.settings import project_home
from lakeshelf.streams.declare import registry
from lakeshelf.streams.declare.job import Fold, Job, Latest, Movements, View, validate
from lakeshelf.streams.declare.plan import plan, require_whole
from tests.streams import harness

JOBS = harness.jobs()


def groups(*names: str) -> list[list[str]]:
    return [[job.name for job in found.jobs] for found in plan(JOBS[name] for name in names)]


def test_jobs_of_one_topic_and_those_that_read_their_state_share_a_query() -> None:
    (folding,) = groups(*harness.FOLDING)
    assert sorted(folding) == sorted(harness.FOLDING)
    assert folding[0] == "shelf-aggregator", "the most eager owner gives its name"
    assert folding[-1] == "stock-discrepancies", "it reads what the others publish"


def test_jobs_that_share_nothing_run_apart() -> None:
    assert groups("shelf-aggregator", "foot-traffic-raw-sink", "reference-sink") == [
        ["foot-traffic-raw-sink"],
        ["reference-sink"],
        ["shelf-aggregator"],
    ]


def test_a_fused_query_reads_from_kafka_only_what_it_does_not_publish() -> None:
    folding = harness.folding()
    read = ["batch_catalog", "pos_transactions", "shelf_events", "wh_events"]
    assert [topic.name for topic in folding.topics] == read
    assert {topic.name for topic in harness.watching().topics} == folding.published


def test_a_query_is_as_eager_as_its_most_eager_job_and_writes_what_they_all_own() -> None:
    folding = harness.folding()
    assert folding.trigger_ms == JOBS["shelf-aggregator"].trigger_ms
    assert sorted(folding.tables) == sorted(t for n in harness.FOLDING for t in JOBS[n].tables)
    assert sorted(folding.mirrors) == ["pos_transactions", "shelf_events", "wh_events"]


def test_the_order_of_the_jobs_does_not_matter() -> None:
    assert plan(JOBS.values()) == plan(reversed(JOBS.values()))


def test_a_job_needs_the_owner_of_its_topics() -> None:
    with pytest.raises(ConfigurationError) as raised:
        plan([JOBS["wh-batch-state-updater"]])
    assert "whose duplicates wh-aggregator recognises" in str(raised.value)
    assert "run it together with wh-aggregator" in str(raised.value)


def test_a_job_needs_all_owners_of_the_tables_that_it_reads_and_is_told_them_at_once() -> None:
    told = r"shelf-restock-manager reads .*, which .* keeps"
    with pytest.raises(ConfigurationError, match=told) as raised:
        plan([JOBS["shelf-restock-manager"]])
    owners = "shelf-alert-engine, wh-aggregator, wh-batch-state-updater"
    assert f"run it together with {owners}" in str(raised.value)


def test_events_that_a_job_emits_come_back_through_kafka() -> None:
    (deciding,) = (p for p in plan(JOBS.values()) if "ops/shelf_restock_plan" in p.tables)
    emitted = {topic for job in deciding.jobs for topic in job.emitted}
    assert {"wh_events", "shelf_events"} <= emitted & {topic.name for topic in deciding.topics}
    assert "shelf_state" not in {topic.name for topic in deciding.topics}


def test_the_latest_message_of_a_topic_is_found_where_it_is_held() -> None:
    found = harness.folding()
    held = found.latest("batch_catalog")
    assert isinstance(held, Latest)
    assert held.table.startswith("staging/lot_catalog")
    assert found.latest("shelf_policies") is None


def test_every_table_has_one_owner_and_every_job_is_discovered() -> None:
    written = [table for job in JOBS.values() for table in job.tables]
    assert len(written) == len(set(written))
    assert all(CATALOG.tables[t].owner == job.name for job in JOBS.values() for t in job.tables)
    folders = {
        folder.name for folder in (project_home() / "spark-apps").iterdir() if folder.is_dir()
    }
    assert JOBS.keys() == folders - {"deltalake", "__pycache__"}


def test_a_job_of_a_project_comes_last_and_leaves_its_query_the_name() -> None:
    """The name of a query is that of its checkpoint."""
    first = Job("a-first", "Eager.", mirrors=("foot_traffic",), trigger_ms=1)
    for own in (False, True):
        (found,) = plan([JOBS["foot-traffic-raw-sink"], replace(first, own=own)])
        assert found.name == ("foot-traffic-raw-sink" if own else "a-first")


def test_a_job_that_does_not_exist_is_answered_with_its_neighbours() -> None:
    with pytest.raises(ConfigurationError, match=r"no job 'shelf-agregator'.*shelf-aggregator"):
        registry.select(JOBS, ["shelf-agregator"])
    assert registry.select(JOBS, []) == tuple(JOBS.values())
    twice = registry.select(JOBS, ["wh-aggregator", "wh-aggregator"])
    assert [job.name for job in twice] == ["wh-aggregator"]


def test_a_checkout_without_jobs_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no spark-apps/"):
        registry.discover(tmp_path)


def test_a_declaration_that_names_what_no_contract_declares_is_refused() -> None:
    job = JOBS["wh-aggregator"]
    (fold,) = job.updates
    assert isinstance(fold, Fold)
    unknown = replace(fold, movements=(Movements("{wh_evnets}", {}),))
    with pytest.raises(ConfigurationError, match="wh_evnets"):
        validate(replace(job, updates=(unknown,)))
    with pytest.raises(ConfigurationError, match="shelf-aggregator owns"):
        validate(replace(job, updates=(View("cleansed/shelf_state", "SELECT 1"),)))
    with pytest.raises(ContractError, match="cleansed/nothing"):
        validate(replace(job, updates=(View("cleansed/nothing", "SELECT 1"),)))


def test_what_the_sql_of_a_fold_would_hide_is_refused_by_name() -> None:
    job = JOBS["wh-aggregator"]
    (fold,) = job.updates
    assert isinstance(fold, Fold)
    movement = fold.movements[0]

    def refused(**changed: Any) -> str:
        with pytest.raises(LakeshelfError) as told:
            validate(replace(job, updates=(replace(fold, **changed),)))
        return str(told.value)

    without = {name: value for name, value in movement.values.items() if name != "shelf_id"}
    assert "its key shelf_id" in refused(movements=(replace(movement, values=without),))
    other = {**movement.values, "other": "1"}
    assert "a value for other" in refused(movements=(replace(movement, values=other),))
    assert "has no other" in refused(combine={**fold.combine, "other": "sum"})
    assert "balance by avg; there are sum, min, max" in refused(
        combine={**fold.combine, "balance": "avg"}
    )
    assert "no topic 'shelf_stat'" in refused(topic="shelf_stat")
    assert "which shelf-aggregator owns" in refused(topic="shelf_state")


def test_rows_that_lack_what_the_messages_of_their_topic_have_are_refused() -> None:
    bare = View("raw/wh_events", "SELECT 1", topic="wh_state")
    with pytest.raises(ConfigurationError, match=r"on wh_state without balance.*, version"):
        validate(replace(JOBS["wh-aggregator"], mirrors=(), updates=(bare,)))


def test_a_table_is_kept_once_and_before_those_that_ask_what_is_touched_of_it() -> None:
    job = JOBS["wh-batch-state-updater"]
    with pytest.raises(ConfigurationError, match=rf"keeps {job.updates[0].table} twice"):
        validate(replace(job, updates=(job.updates[0], *job.updates)))
    with pytest.raises(ConfigurationError, match="which is made behind it"):
        validate(replace(job, updates=job.updates[::-1]))


@pytest.mark.parametrize("topic", ["commands", "shelf_profiles"])
def test_a_sum_over_a_topic_whose_repeats_nobody_recognises_is_refused(topic: str) -> None:
    job = JOBS["wh-aggregator"]
    (fold,) = job.updates
    assert isinstance(fold, Fold)
    over = replace(fold, movements=(replace(fold.movements[0], source=f"{{{topic}}}"),))
    with pytest.raises(ConfigurationError, match=f"adds up {topic} in {fold.table}"):
        validate(replace(job, updates=(over,)))
    highest = replace(over, combine=dict.fromkeys(fold.combine, "max"))
    validate(replace(job, updates=(highest,)))


def test_some_jobs_of_a_query_are_not_run_without_the_others() -> None:
    """Where drivers divide queries, whoever takes one over runs the same jobs under its name."""
    every = plan(JOBS.values())
    require_whole(every, every)
    for query in every:
        require_whole([query], every)
    names = ("wh-aggregator", "wh-batch-state-updater")
    with pytest.raises(ConfigurationError, match=r"share a query with .*shelf-aggregator"):
        require_whole(plan(JOBS[name] for name in names), every)
