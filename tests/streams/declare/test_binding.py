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
