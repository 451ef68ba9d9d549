"""A card as a page tells all that it says, in tables that are tables."""

from __future__ import annotations

from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from lakeshelf.forecast.model.gates import GATES
from lakeshelf.forecast.training.pages import markdown, of_card, pooled
from lakeshelf.forecast.versions.cards import Card, CardGate, Score
from tests.forecast.versions.cases import ORIGIN


def card(**changed: object) -> Card:
    version = {"model_version": "20260930-0123456789ab", "settings": {"seed": 1}, "files": {}}
    return Card(**{**dict(ORIGIN), **version, **changed})


SCORES = st.lists(
    st.builds(
        Score,
        fold=st.sampled_from([date(2026, 8, 1), date(2026, 9, 1)]),
        segment=st.sampled_from(["active", "tail"]),
        metric=st.sampled_from(["deviance", "bias"]),
        contender=st.sampled_from(["lightgbm", "sba", "a|b\nc"]),
        value=st.none() | st.floats(-9, 9),
        rows=st.integers(0, 99),
    ),
    max_size=12,
    unique_by=lambda score: (score.fold, score.segment, score.metric, score.contender),
)


@given(scores=SCORES, value=st.none() | st.floats(-1, 1))
def test_a_page_has_each_gate_and_score_in_rows_as_long_as_their_heads(
    scores: list[Score], value: float | None
) -> None:
    gates = tuple(CardGate(name=g.name, value=value, bound=g.bound, passed=False) for g in GATES)
    made = card(scores=tuple(scores), gates=gates)
    page = markdown(of_card(made))
    tables = [block.splitlines() for block in page.split("\n\n") if block.startswith("|")]
    for head, _, *rows in tables:
        cells = head.count("|")
        assert all(row.replace("\\|", "").count("|") == cells for row in rows)
    assert [row.split(" | ")[0] for row in tables[-1][2:]] == [f"| {gate.name}" for gate in GATES]
    assert len(tables) == 3 + len(pooled(made))
    assert "28 days from 2026-09-01 on" in page


def test_unknown_gates_and_missing_folds_are_pages_too() -> None:
    odd = CardGate(name="from elsewhere", value=None, bound=None, passed=True)
    page = markdown(of_card(card(folds=(), scores=(), gates=(odd,))))
    assert "| from elsewhere | yes | - | at most - |  |" in page
    assert page.endswith("\n")
