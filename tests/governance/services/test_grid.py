"""The grid: what a process holds of it, and what a session lays over it."""

from __future__ import annotations

import gc
import weakref
from dataclasses import replace

from lakeshelf.governance.services.changes import sessions
from lakeshelf.governance.services.context import Context
from lakeshelf.governance.services.memory import Memory, SizedCache
from lakeshelf.governance.services.reading import grid
from lakeshelf.governance.services.reading.grid import ViewPage, ViewSpec
from lakeshelf.governance.services.reading.views import ViewQuery
from tests.governance.services.acting import delete, done, insert, set_
from tests.governance.services.conftest import ANN, DATASET, PROJECT


def test_no_view_keeps_the_rows_of_a_version_that_was_let_go(context: Context) -> None:
    done(context, insert("S1"), insert("S2"))
    done(context, set_("S1", "min_qty", 5))
    context = replace(context, memory=Memory(tables=SizedCache(most=1)))
    versions = [
        ViewSpec(PROJECT, DATASET, version, ViewQuery())
        for version in range(context_version(context) - 1, context_version(context) + 1)
    ]
    grid.page(context, ANN, versions[0], 0, 10)
    (first,) = [weakref.ref(held) for held, _ in context.memory.tables._values.values()]
    page = grid.page(context, ANN, versions[1], 0, 10)
    gc.collect()
    assert first() is None
    assert page.columns["min_qty"] == [5, 1]
    assert grid.page(context, ANN, versions[0], 0, 10).columns["min_qty"] == [1, 1]


def context_version(context: Context) -> int:
    """The newest version."""
    asked, _ = grid.ask(context, ANN, PROJECT, DATASET, ViewQuery())
    assert isinstance(asked.at, int)
    return asked.at


def test_edits_that_other_processes_took_are_laid_over_too(context: Context) -> None:
    done(context, insert("S1"), insert("S2"), insert("S3"))
    other = replace(context, memory=Memory())
    session = sessions.open_session(context, ANN, PROJECT, DATASET)
    asked, _ = grid.ask(context, ANN, PROJECT, DATASET, ViewQuery(), session=session.id)

    def both() -> tuple[ViewPage, ViewPage]:
        pages = [grid.page(who, ANN, asked, 0, 10, session.id) for who in (context, other)]
        return pages[0], pages[1]

    for who, edit in (
        (context, set_("S1", "min_qty", 5)),
        (other, set_("S1", "threshold_pct", 40)),
        (other, insert("S4")),
        (context, set_("S4", "min_qty", 7)),
        (context, delete("S2")),
        (other, insert("S2", min_qty=9)),
        (context, delete("S3")),
    ):
        assert not sessions.edit(who, ANN, session.id, [edit]).refusals
        first, second = both()
        assert first == second
    assert first.row_ids == ["S1", "S2", "S3", "S4"]
    assert first.columns["min_qty"] == [5, 9, 1, 7]
    assert first.edited == {"S1": {"min_qty": 1, "threshold_pct": 30}, "S2": {"min_qty": 1}}
    assert (first.inserted, first.deleted, first.count) == (["S4"], ["S3"], 4)


def test_a_cell_is_read_from_the_rows_that_somebody_looks_at(context: Context) -> None:
    """What is told of an edit is the same whether its row is held in memory, or read from the table."""
    done(context, insert("S1", min_qty=3), insert("S2"))
    answers = []
    for looks in (False, True):
        process = replace(context, memory=Memory())
        session = sessions.open_session(process, ANN, PROJECT, DATASET)
        if looks:
            grid.ask(process, ANN, PROJECT, DATASET, ViewQuery(), session=session.id)
        edits = [set_("S1", "min_qty", -1), set_("S9", "min_qty", 1), insert("S2"), delete("S2")]
        named = [replace(one, edit_id=f"e{n}") for n, one in enumerate(edits)]
        answers.append(sessions.edit(process, ANN, session.id, named))
    read, held = answers
    assert repr(read) == repr(held)
    assert read.edits[0].old_value == "3"
    assert [one.row_id for one in read.refusals] == ["S9", "S2"]
    assert read.findings
