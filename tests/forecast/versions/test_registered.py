"""Acts on the registry of a lake: one commit each, after what they were decided on."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakeshelf.forecast.versions import registered
from lakeshelf.forecast.versions.cards import CardGate
from lakeshelf.forecast.versions.errors import ActRefused
from lakeshelf.forecast.versions.registry import (
    Model,
    Registry,
    advance,
    refuse,
    register,
)
from lakeshelf.lake.place.errors import Conflict
from tests.forecast.versions import cases
from tests.forecast.versions.test_registry import VERSIONS, act, card


def add(version: str) -> registered.Change:
    """Register a version."""
    return lambda known: register(known, card(version), "f" * 64, act())


@pytest.fixture
def root(tmp_path: Path) -> Path:
    registered.change(registered.writer(tmp_path), add(VERSIONS[0]))
    return tmp_path


def test_a_lake_without_the_table_has_no_versions(tmp_path: Path) -> None:
    assert registered.read(registered.writer(tmp_path)) == registered.Registered(Registry({}), None)


def test_what_is_read_is_what_was_written(root: Path) -> None:
    (model,) = add(VERSIONS[0])(Registry({}))
    assert registered.read(registered.writer(root)).registry.models == {VERSIONS[0]: model}
    assert registered.change(registered.writer(root), add(VERSIONS[0])) == ()


def racing(root: Path, times: int) -> registered.Change:
    """Register a version while another act is quicker, so many times."""
    others = iter(VERSIONS[2 : 2 + times])

    def late(known: Registry) -> tuple[Model, ...]:
        if (other := next(others, None)) is not None:
            registered.change(registered.writer(root), add(other))
        return add(VERSIONS[1])(known)

    return late


def test_a_lost_race_is_said_in_one_line_and_writes_nothing(root: Path) -> None:
    lake = registered.writer(root)
    with pytest.raises(Conflict, match="meanwhile; look with `lakeshelf models list`") as refused:
        registered.change(lake, racing(root, 1))
    assert len(str(refused.value).splitlines()) == 1
    assert {*registered.read(lake).registry.models} == {VERSIONS[0], VERSIONS[2]}


def test_an_act_that_depends_on_nobody_is_tried_again(root: Path) -> None:
    lake = registered.writer(root)
    registered.change(lake, racing(root, 2), attempts=3)
    assert {*registered.read(lake).registry.models} == {*VERSIONS[:4]}


def test_both_rows_of_a_promotion_are_in_one_commit(root: Path) -> None:
    lake = registered.writer(root)
    registered.change(lake, add(VERSIONS[1]))
    for version in (VERSIONS[0], VERSIONS[0], VERSIONS[1], VERSIONS[1]):
        before = registered.read(lake).at or 0
        registered.change(lake, lambda known, name=version: advance(known, name, act()))
        assert registered.read(lake).at == before + 1
    registry = registered.read(lake).registry
    assert registry.champion == registry.model(VERSIONS[1])
    assert registry.model(VERSIONS[0]).status == "retired"


def test_only_a_challenger_is_promoted_and_only_once(root: Path) -> None:
    lake = registered.writer(root)
    assert registered.promote(lake.root, VERSIONS[0], act()) == ()
    registered.change(lake, lambda known: advance(known, VERSIONS[0], act()))
    assert registered.promote(lake.root, VERSIONS[1], act()) == ()
    (model,) = registered.promote(lake.root, VERSIONS[0], act())
    assert registered.read(lake).registry.champion == model
    assert registered.promote(lake.root, VERSIONS[0], act()) == ()


gates = st.lists(
    st.builds(
        CardGate,
        name=st.sampled_from("abcdef"),
        value=st.one_of(st.none(), st.floats(-1, 1)),
        bound=st.just(0.5),
        passed=st.booleans(),
    ),
    max_size=4,
    unique_by=lambda gate: gate.name,
)


@given(gates=gates)
@settings(max_examples=60)
def test_only_what_passed_every_gate_goes_up(gates: list[Any]) -> None:
    asked = card(VERSIONS[0]).model_copy(update={"gates": tuple(gates)})
    registry = cases.applied(Registry({}), register(Registry({}), asked, "f" * 64, act()))
    failed = [gate for gate in gates if not gate.passed]
    if gates and not failed:
        for status in ("challenger", "champion"):
            registry = cases.applied(registry, advance(registry, VERSIONS[0], act()))
            assert registry.model(VERSIONS[0]).status == status
        return
    with pytest.raises(ActRefused, match="did not pass") as refused:
        advance(registry, VERSIONS[0], act())
    for gate in failed:
        assert f"{gate.name} (" in str(refused.value)


@pytest.mark.ml
def test_files_of_former_champions_are_checked_against_their_hashes(tmp_path: Path) -> None:
    """M4; a candidate has decided nothing, and its files are its own affair."""
    lake, above = registered.writer(tmp_path), tmp_path / "models" / registered.MODEL
    assert registered.files_check(lake).ok
    names = []
    for day in (20, 21, 22):
        _, version = cases.published(above, trained_until=date(2026, 9, day))
        name, sha256 = version.card.model_version, version.card_sha256
        names.append(name)
        registered.change(
            lake, lambda known, v=version, s=sha256: register(known, v.card, s, act())
        )
        for _ in range(2 if day < 22 else 0):
            registered.change(lake, lambda known, n=name: advance(known, n, act()))
    former, champion, candidate = (above / name / "mean.txt" for name in names)
    candidate.write_text("another")
    check = registered.files_check(lake)
    assert (check.ok, check.expected, check.actual) == (True, 2, 2)
    former = former.with_name("card.json")
    former.write_text(former.read_text() + " ")  # as valid as before, and not what was registered
    champion.unlink()
    check = registered.files_check(lake)
    assert (check.ok, check.expected, check.actual, check.differences) == (False, 2, 0, 2)
    ways = (f"`lakeshelf models retire {names[0]} --for-good`", "`lakeshelf models rollback`")
    for file, way, text in zip((former, champion), ways, check.sample, strict=True):
        assert str(file.parent) in text
        assert file.name in text
        assert text.endswith(way)
    registered.change(lake, lambda known: refuse(known, names[0], act()))
    check = registered.files_check(lake)
    assert (check.expected, check.differences) == (1, 1)
