"""Components are found in each of their rooms, once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lakeshelf.components import registry
from lakeshelf.contracts import project
from lakeshelf.errors import ConfigurationError

APP = '''
from lakeshelf.components.component import Component

class Idle(Component):
    """One that does nothing."""

    name = "{name}"
    doc = "Does nothing."
    journal = "ops/journal_{module}"

    def dues(self, after, tick):
        return []

    def decide(self, due, tick):
        return None

COMPONENT = Idle
'''


def checkout(home: Path, folders: Sequence[tuple[str, str]]) -> Path:
    """A checkout with components, each a room and a name."""
    (home / registry.ROOMS[0]).mkdir(parents=True, exist_ok=True)
    for room, name in folders:
        module = name.replace("-", "_")
        (home / room / name).mkdir(parents=True)
        text = APP.format(name=name, module=module)
        (home / room / name / f"{module}.py").write_text(text, encoding="utf-8")
    return home


NAMES = st.from_regex(r"registered-[a-z]{1,6}", fullmatch=True)
FOLDERS = st.lists(
    st.tuples(st.sampled_from(registry.ROOMS), NAMES), max_size=4, unique_by=lambda one: one[1]
)


@given(FOLDERS)
@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_components_are_those_of_all_rooms_by_name(
    tmp_path_factory: pytest.TempPathFactory, folders: list[tuple[str, str]]
) -> None:
    home = checkout(tmp_path_factory.mktemp("home"), folders)
    known = registry.discover(home)
    assert list(known) == sorted(name for _, name in folders)
    assert registry.ticking(home) == tuple(known)
    for room, name in folders:
        assert registry.room(home, name) == room
        assert registry.module(home, name).COMPONENT is known[name]


def test_a_component_of_two_rooms_is_refused(tmp_path: Path) -> None:
    home = checkout(tmp_path, [(room, "told-twice") for room in registry.ROOMS])
    with pytest.raises(ConfigurationError, match="two components told-twice"):
        registry.discover(home)


def test_rooms_of_a_project_are_beside_those_of_the_product(tmp_path: Path) -> None:
    home = checkout(tmp_path / "home", [("kafka-components", "of-the-product")])
    own = checkout(tmp_path / "project", [("ml-model", "of-a-project")])
    assert set(registry.discover(home, own)) == {"of-the-product", "of-a-project"}


def test_tables_of_a_component_are_declared_in_its_room(tmp_path: Path) -> None:
    for room in registry.ROOMS:
        (tmp_path / room / "one").mkdir(parents=True)
        (tmp_path / room / "one" / project.FILE).touch()
    assert [file.parts[-3] for file in project.files(tmp_path)] == list(registry.ROOMS)
