"""A key whose JSON can be written in several ways is one key, wherever it is named."""

from __future__ import annotations

import pytest

from lakeshelf.contracts.types import LONG, STRING, Field
from lakeshelf.governance.domain.definition import Column, Definition
from lakeshelf.governance.domain.editing.accepting import IncomingEdit
from lakeshelf.governance.errors import GovernanceError
from lakeshelf.governance.services import datasets, history
from lakeshelf.governance.services.changes import requests, reviewing, sessions
from lakeshelf.governance.services.context import Context
from tests.governance.services.acting import approved, merged
from tests.governance.services.conftest import ANN, BEN, PROJECT
from tests.governance.services.test_meanwhile import database

__all__ = ["database"]
pytestmark = pytest.mark.timeout(300)
NAME = "prices"
KEY, SAME = '["x",1]', '[ "x", "1" ]'
COLUMNS = (
    Column(Field("store", STRING, "The store.")),
    Column(Field("item", LONG, "The item.")),
    Column(Field("cents", LONG, "The price.", required=False)),
)


@pytest.fixture
def session(context: Context) -> str:
    datasets.create(context, ANN, PROJECT, NAME, Definition(1, COLUMNS, ("store", "item")))
    return sessions.open_session(context, ANN, PROJECT, NAME).id


def edited(context: Context, session: str, *edits: tuple[str, str, object]) -> list[str]:
    """Make edits, one call each; the codes of those that are refused."""
    codes = []
    for place, (op, row, value) in enumerate(edits):
        column = "cents" if op == "set" else None
        edit = IncomingEdit(f"{place}", op, row, column, value)
        answer = sessions.edit(context, ANN, session, [edit])
        codes += [one.error.code for one in answer.refusals]
    return codes


def test_edits_of_a_row_follow_one_another_however_its_key_is_written(
    context: Context, session: str
) -> None:
    steps = [
        ("insert", KEY, None),
        ("set", SAME, 5),
        ("insert", SAME, None),
        ("delete", SAME, None),
    ]
    assert edited(context, session, *steps, ("set", KEY, 6)) == ["key_invalid", "row_not_found"]
    assert sessions.preview(context, ANN, session).merged.counts["inserted"] == 0


def test_reviews_and_history_know_a_row_however_its_key_is_written(
    context: Context, session: str
) -> None:
    edited(context, session, ("insert", SAME, {"cents": 5}), ("insert", '["y",2]', None))
    request = requests.submit_session(context, ANN, session, title="x")
    said = reviewing.say(context, BEN, PROJECT, request.number, "why?", row_id=SAME, column="cents")
    assert said.row_id == KEY
    with pytest.raises(GovernanceError, match="no column"):
        reviewing.say(context, BEN, PROJECT, request.number, "why?", row_id=KEY, column="dollars")
    seen = str(request.content_hash)
    cells = [('["y", "2"]', None)]
    smaller = reviewing.reject_cells(context, BEN, PROJECT, request.number, seen, cells)
    merged(context, approved(context, smaller))
    cents = history.blame(context, ANN, PROJECT, NAME, SAME)["cents"]
    assert cents is not None
    assert cents.change_request == request.number
    assert history.changes(context, ANN, PROJECT, NAME, row_id=SAME)[1] == len(COLUMNS)
