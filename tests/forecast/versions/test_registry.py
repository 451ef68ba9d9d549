"""Whatever acts come in whatever order: one champion at most, and each act is undone as it says."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from lakeshelf.forecast.versions import registry as r
from lakeshelf.forecast.versions.cards import Card, CardGate
from lakeshelf.forecast.versions.errors import ActRefused, RegistryDamaged
from tests.forecast.versions.cases import applied

BEGIN = datetime(2026, 10, 1, tzinfo=UTC)
VERSIONS = [f"20260930-{number:012x}" for number in range(6)]
EMPTY = r.Registry.of([])


def card(version: str) -> Card:
    return Card(
        model_name="warehouse_optimizer",
        model_version=version,
        trained_until=date(2026, 9, 30),
        run_id="run-1",
        inputs=(),
        code_sha256="0" * 64,
        settings={"seed": 1},
        gates=(CardGate(name="bias", value=0.01, bound=0.05, passed=True),),
        files={},
    )


def act(hours: int = 0, reason: str = "") -> r.Attribution:
    return r.Attribution("mia", BEGIN + timedelta(hours=hours), reason)


class Acts(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.registry = EMPTY
        self.hours = 0

    def _do(self, doing: Any, *of: Any) -> tuple[r.Model, ...] | ActRefused:
        """The rows that an act changed, after they were merged; or why it was refused."""
        self.hours += 1
        before = self.registry
        try:
            changed: tuple[r.Model, ...] = doing(before, *of, act(self.hours))
        except ActRefused as error:
            return error
        for model in changed:
            former = before.models.get(model.model_version)
            assert model.version == (1 if former is None else former.version + 1)
            assert former is None or (former.status == model.status) == (doing is r.register)
            assert former is None or former.status != "refused" or doing is r.register
            if doing is not r.register or former is None:
                assert (model.actor, model.updated_at) == ("mia", act(self.hours).at)
        self.registry = applied(before, changed)
        return changed

    @rule(version=st.sampled_from(VERSIONS), sha=st.sampled_from(["a", "b"]))
    def register(self, version: str, sha: str) -> None:
        former = self.registry.models.get(version)
        changed = self._do(r.register, card(version), sha)
        assert isinstance(changed, tuple)
        assert bool(changed) == (former is None or former.card_sha256 != sha)
        assert self.registry.models[version].card_sha256 == sha

    @rule(
        version=st.sampled_from(VERSIONS),
        doing=st.sampled_from([r.challenge, r.promote, r.retire, r.refuse]),
    )
    def change(self, version: str, doing: Any) -> None:
        model = self.registry.models.get(version)
        allowed = model is not None and model.status in r.FROM[doing.__name__]
        changed = self._do(doing, version)
        assert isinstance(changed, tuple) == allowed

    @precondition(lambda self: self.registry.challenger)
    @rule()
    def promote_and_roll_back(self) -> None:
        challenger, before = self.registry.challenger, self.registry.champion
        assert challenger is not None
        self._do(r.promote, challenger.model_version)
        assert self.registry.champion == self.registry.models[challenger.model_version]
        self._do(r.rollback)
        after = self.registry.champion
        assert (after and after.model_version) == (before and before.model_version)

    @rule()
    def roll_back(self) -> None:
        before = self.registry.champion
        changed = self._do(r.rollback)
        assert isinstance(changed, ActRefused) == (before is None)
        after = self.registry.champion
        assert before is None or after is None or after.model_version != before.model_version

    @invariant()
    def one_decides(self) -> None:
        found = [model.status for model in self.registry.models.values()]
        assert found.count("champion") <= 1
        assert found.count("challenger") <= 1
        assert r.Registry.of(model.row() for model in self.registry.models.values()) == (
            self.registry
        )


TestActs = Acts.TestCase
TestActs.settings = settings(max_examples=60, stateful_step_count=30)


def registry(*statuses: str) -> r.Registry:
    """Versions of these statuses, in the order of `VERSIONS`."""
    rows = []
    for version, status in zip(VERSIONS, statuses, strict=False):
        (model,) = r.register(EMPTY, card(version), "a", act())
        rows.append(model.row() | {"status": status})
    return r.Registry.of(rows)


def test_both_rows_of_a_promotion_are_changed_together() -> None:
    promoted, former = r.promote(
        registry("champion", "challenger"), VERSIONS[1], act(5, "two weeks better")
    )
    assert (promoted.status, promoted.replaced, promoted.version) == ("champion", VERSIONS[0], 2)
    assert (former.status, former.model_version, former.version) == ("retired", VERSIONS[0], 2)
    assert {promoted.reason, former.reason} == {"two weeks better"}


def test_a_rollback_passes_over_champions_that_were_refused_since() -> None:
    found = registry("challenger", "candidate", "candidate")
    for number, version in enumerate(VERSIONS[:3]):
        if number:
            found = applied(found, r.challenge(found, version, act()))
        found = applied(found, r.promote(found, version, act()))
    found = applied(found, r.refuse(found, VERSIONS[1], act()))
    found = applied(found, r.rollback(found, act()))
    assert found.champion
    assert found.champion.model_version == VERSIONS[0]
    found = applied(found, r.rollback(found, act()))
    assert found.champion is None


def test_two_champions_are_named_and_one_of_them_can_be_retired() -> None:
    found = registry("champion", "champion", "challenger")
    for asked in (lambda: found.champion, lambda: r.promote(found, VERSIONS[2], act())):
        with pytest.raises(RegistryDamaged, match=f"2 versions as champion: {VERSIONS[0]}") as told:
            asked()
        assert told.value.hint == (
            "`lakeshelf models retire VERSION` for all of them but one; until then the rule decides"
        )
    mended = applied(found, r.retire(found, VERSIONS[1], act()))
    assert mended.champion == found.models[VERSIONS[0]]


@pytest.mark.parametrize(
    ("rows", "named"),
    [
        (["champion", "king"], "as 'king'"),
        (["candidate"] * 2, "twice"),
    ],
)
def test_rows_that_cannot_be_are_named(rows: list[str], named: str) -> None:
    (model,) = r.register(EMPTY, card(VERSIONS[0]), "a", act())
    with pytest.raises(RegistryDamaged, match=named):
        r.Registry.of(model.row() | {"status": status} for status in rows if status != "champion")


def test_what_is_not_allowed_is_refused_with_what_is() -> None:
    found = registry("candidate", "champion", "refused")
    for version, doing, said in (
        (VERSIONS[0], r.promote, "is candidate: promote is not allowed; only of challenger; make"),
        (VERSIONS[1], r.refuse, "is champion: refuse is not allowed; .* roll it back first"),
        (VERSIONS[2], r.challenge, "is refused: challenge is not allowed; .* train another one"),
        ("20200101-0", r.retire, f"no version '20200101-0'; registered are: {VERSIONS[0]}, "),
    ):
        with pytest.raises(ActRefused, match=said):
            doing(found, version, act())
    with pytest.raises(ActRefused, match="there is no champion to roll back"):
        r.rollback(EMPTY, act())
