"""What stands in a file of properties is what Java reads, by each of the two ways in which it takes a file."""

from __future__ import annotations

import re

from hypothesis import example, given
from hypothesis import strategies as st

from lakeshelf.stack.toolchain import java_properties

_LETTERS = {"n": "\n", "r": "\r", "t": "\t", "f": "\f"}


def read(line: str) -> str:
    """The value of a line, by the rules of `java.util.Properties.load`."""
    value = re.sub(r"^[ \t\f]*[:=]?[ \t\f]*", "", line.removeprefix("name"), count=1)
    units = re.sub(
        r"\\(u[0-9a-f]{4}|.)",
        lambda m: chr(int(m[1][1:], 16)) if len(m[1]) > 1 else _LETTERS.get(m[1], m[1]),
        value,
    )
    return units.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")


@given(st.text())
@example("  /home/j\xfcrgen/cl\u00e9.pem \\")
@example("\U0001f600=:#!\0\x1b\u202e\"'{};\n\r\t\f")
def test_any_value_is_read_as_it_is(value: str) -> None:
    text = java_properties.text({"name": value})
    (line,) = text.splitlines()
    assert text == f"{line}\n"
    assert line.isascii()
    assert line.isprintable()
    assert read(line) == value
