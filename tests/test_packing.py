"""The longest files begin first, whatever their names."""

from __future__ import annotations

import pytest

from tests import packing

pytest_plugins = ("pytester",)

FILES = {
    "test_a": "def test_short(): ...",
    "test_b": "@pytest.mark.slow\ndef test_slow(): ...",
    "test_c": "@pytest.mark.timeout(1500)\ndef test_long(): ...\ndef test_short(): ...",
    "test_d": "@pytest.mark.faults\ndef test_fault(): ...",
}


def test_files_come_by_the_time_that_they_take(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\nmarkers =\n    slow:\n    faults:")
    pytester.makepyfile(**{name: f"import pytest\n{text}" for name, text in FILES.items()})
    items, _ = pytester.inline_genitems()
    packing.sort(items)
    assert [item.nodeid for item in items] == [
        "test_c.py::test_long",
        "test_c.py::test_short",
        "test_d.py::test_fault",
        "test_b.py::test_slow",
        "test_a.py::test_short",
    ]


@pytest.mark.parametrize("room", packing.TOGETHER)
def test_a_room_that_shares_one_thing_runs_in_one_process(room: str) -> None:
    assert packing.together(f"{room}test_writes.py::test_a[b::c]") == room
    assert packing.together("tests/lake/test_lake.py::test_a") == "tests/lake/test_lake.py"
