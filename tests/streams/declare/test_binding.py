"""SQL of jobs is checked before anything runs: names, what it gives, and which columns it reads."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from lakeshelf.errors import ConfigurationError
from lakeshelf.settings import load_settings
from lakeshelf.streams.declare import lineage, registry
from lakeshelf.streams.declare.binding import Binder, Bound, Text, bind
from lakeshelf.streams.declare.job import Fold, Job, Movements, View

HOME = load_settings().home
JOBS = registry.discover(HOME)
VIEW = """
    SELECT shelf_id, item_id FROM {cleansed_shelf_state}
    WHERE balance > (SELECT max(quantity) FROM {shelf_events})"""


@pytest.mark.parametrize("name", JOBS)
def test_every_text_of_a_job_binds_and_gives_what_the_contract_wants(name: str) -> None:
    job, found = JOBS[name], bind(JOBS[name])
    assert len(found) >= len(job.updates) + len(job.objections)
    for bound in found:
        assert all(bound.reads.values()), f"{bound.of} names a relation of which it reads nothing"


@pytest.mark.parametrize("name", [name for name, job in JOBS.items() if job.updates])
def test_a_column_that_is_not_there_is_refused_by_name(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bind_text, texts = Binder.bind_text, list[tuple[Text, Bound]]()

    def noted(self: Binder, text: Text) -> Bound:
        bound = bind_text(self, text)
        texts.append((text, bound))
        return bound

    monkeypatch.setattr(Binder, "bind_text", noted)
    bind(JOBS[name])
    binder = Binder(JOBS[name])
    for text, bound in texts:
        column = next(iter(bound.reads.values()))[0]
        broken = replace(text, sql=re.sub(rf"\b{column}\b(?!\}})", "no_such", text.sql))
        with pytest.raises(ConfigurationError, match="no_such") as told:
            bind_text(binder, broken)
        assert str(told.value).startswith(f"job {name}: the SQL of its {text.of} does not run: ")


def of(sql: str, table: str = "ops/stock_discrepancies") -> Job:
    return Job("stock-discrepancies", "A job.", updates=(View(table, sql),))


def refusal(job: Job) -> str:
    with pytest.raises(ConfigurationError) as told:
        bind(job)
    return str(told.value)


def test_a_relation_that_nothing_declares_is_refused_by_name() -> None:
    assert "reads {shelf_stat}, which nothing declares" in refusal(of("SELECT 1 FROM {shelf_stat}"))


def test_a_column_that_a_table_needs_and_a_text_does_not_give_is_refused_by_name() -> None:
    told = refusal(of("SELECT shelf_id FROM {shelf_state}"))
    assert "the SQL of its view of ops/stock_discrepancies gives no column" in told


def test_a_column_of_another_type_is_refused_with_both_types() -> None:
    view = JOBS["stock-discrepancies"].updates[0]
    assert isinstance(view, View)
    wrapped = f"SELECT * REPLACE (CAST(books AS STRING) AS books) FROM ({view.sql})"
    table = next(iter(bind(JOBS["stock-discrepancies"]))).schema
    number = next(field.name for field in table if str(field.type).startswith(("int", "decimal")))
    told = refusal(of(wrapped.replace("books", number)))
    assert f"gives {number} as string, the contract wants int" in told


def test_what_is_no_sql_is_refused_in_a_line() -> None:
    told = refusal(of("SELECT FROM WHERE {shelf_state}"))
    assert "does not run" in told
    assert "\n" not in told


REFUSED = {
    "SELECT 1 AS a; SELECT 2 AS a": "it is 2 statements",
    "SELECT 1 AS a; DROP TABLE x": "it is 2 statements",
    "INSERT INTO {shelf_events} SELECT 1": "is no query: INSERT",
    "COPY (SELECT 1 AS a) TO '/tmp/x'": "is no query: COPY",
    "": "does not run",
    "SELECT 'a": "does not run",
    f"SELECT {'(' * 3000}1{')' * 3000} AS a": "is nested too deep",
    "SELECT item_id FROM cleansed_shelf_state": "reads cleansed_shelf_state, which does not stand in braces",
    "SELECT * FROM csv.`/etc/passwd`": "reads csv./etc/passwd",
    "SELECT content FROM read_text('/etc/passwd')": "reads read_text(…)",
    "SELECT * FROM {shelf_events}, information_schema.tables": "reads information_schema.tables",
    "WITH shelf_events AS (SELECT 1 AS a) SELECT a FROM {shelf_events}": "has a part shelf_events",
    "SELECT current_timestamp() AS a": "asks for current_timestamp",
    "SELECT item_id FROM {shelf_events} WHERE event_time < now()": "asks for now",
    "SELECT rand() AS a": "asks for random",
    "SELECT uuid() AS a": "asks for uuid",
    "SELECT 1 AS a, 2 AS A": "gives a twice",
    "SELECT item_id, store_id AS item_id FROM {shelf_events}": "gives item_id twice",
    f"SELECT item_id, {', '.join(f'c{i}' for i in range(1000))} FROM {{shelf_events}}": 'column "c0" not found',
}
"""Text → what is said of it."""


@pytest.mark.parametrize(("text", "said"), REFUSED.items(), ids=[key[:40] for key in REFUSED])
def test_what_no_text_of_a_job_may_do_is_refused_in_a_line_that_names_it(
    text: str, said: str
) -> None:
    """Rule: docs/design/exactly-once.md#batch; nothing of the text is run before."""
    job = of(text)
    with pytest.raises(ConfigurationError) as refused:
        Binder(job).bind_text(Text("view", text))
    assert said in str(refused.value)
    assert str(refused.value).startswith("job stock-discrepancies: the SQL of its view ")
    assert "\n" not in str(refused.value)


def test_a_column_that_no_table_takes_is_refused_by_name() -> None:
    view = JOBS["stock-discrepancies"].updates[0]
    assert isinstance(view, View)
    told = refusal(of(f"SELECT *, 1 AS extra FROM ({view.sql}) AS counted"))
    assert "gives extra, for which there is no column" in told


def test_rows_that_are_counted_are_read_without_a_column() -> None:
    text = "SELECT count(*) AS n FROM {shelf_events}"
    assert Binder(of(text)).bind_text(Text("view", text)).reads == {"shelf_events": ()}


def test_columns_of_conditions_joins_and_sub_queries_count_as_read() -> None:
    (bound,) = (Binder(of(VIEW)).bind_text(Text("view", VIEW)),)
    assert bound.reads == {
        "cleansed_shelf_state": ("balance", "item_id", "shelf_id"),
        "shelf_events": ("quantity",),
    }


def test_movements_of_a_fold_are_bound_with_their_conditions() -> None:
    fold = JOBS["shelf-aggregator"].updates[0]
    assert isinstance(fold, Fold)
    wrong: Movements = replace(fold.movements[0], where="quantity_ > 0")
    job = replace(JOBS["shelf-aggregator"], updates=(replace(fold, movements=(wrong,)),))
    assert "quantity_" in refusal(job)


@pytest.mark.slow
def test_the_page_of_the_jobs_says_what_they_declare() -> None:
    page = (HOME / "docs" / "reference" / lineage.PAGE).read_text(encoding="utf-8")
    assert page == lineage.render(JOBS.values()), "run `lakeshelf contracts docs`"
