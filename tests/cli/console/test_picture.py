"""Points stand where their numbers are."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lakeshelf.cli.console.picture import HEIGHT, WIDTH, scatter


def test_a_point_with_more_of_both_stands_further_right_and_up() -> None:
    title, *lines, _, scale = scatter([(1, 0.5, "a"), (2, 0.75, "b"), (3, 1, "c")], "x", "y")
    assert (title, len(lines)) == ("y", HEIGHT)
    places = {
        mark: (n, line.index(mark))
        for n, line in enumerate(lines)
        for mark in "abc"
        if mark in line
    }
    assert places["a"] == (HEIGHT - 1, 9)
    assert places["c"] == (0, 9 + WIDTH - 1)
    assert places["c"][0] < places["b"][0] < places["a"][0]
    assert lines[0].startswith("  1.000")
    assert lines[-1].startswith("  0.500")
    assert scale.split() == ["1.00", "3.00", "x"]


@given(st.lists(st.tuples(st.floats(-1e9, 1e9), st.floats(-1e9, 1e9), st.just("o"))))
def test_any_points_fit(spots: list[tuple[float, float, str]]) -> None:
    picture = scatter(spots, "x", "y")
    assert len(picture) == (HEIGHT + 3 if spots else 0)
    assert any("o" in line for line in picture) == bool(spots)


def test_what_is_no_number_is_left_out() -> None:
    assert scatter([(float("nan"), 1, "o"), (1, float("inf"), "o")], "x", "y") == []
