"""What a docstring, a comment or a page names is there: documents, anchors, numbers of records and rules, paths."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lakeshelf.contracts.validate import REASONS, UNPROCESSABLE
from lakeshelf.shop import commands
from lakeshelf.shop.decisions import unknown_shelves
from lakeshelf.streams.take import duplicates, refusal
from tests.docs.references import Broken, Checkout
from tests.matrix.test_traps import SHOWN

HOME = Path(__file__).parents[2]
DESIGN = HOME / "docs" / "design"
TREE = {
    ".gitignore": "/delta/*\n.cache/\n/lakeshelf.toml\n",
    "delta/README.md": "# The lake\n",
    "README.md": "# Shop\n\n## Read on\n",
    "docs/adr/0007-decisions.md": "# 7. Decisions\n",
    "docs/design/faults.md": '<a id="f1"></a>F1\n',
    "docs/design/pitfalls.md": '<a id="trap-4"></a>4\n',
    "docs/design/retail.md": "# Rules\n\n## Bad data\n",
    "docs/promises.md": '<a id="i3"></a>I3, <a id="m2"></a>M2\n',
    "src/lakeshelf/streams/run/batch.py": "class Batch: ...\n",
    "tests/test_a.py": "def test_that_it_works(): ...\n",
}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A small checkout in which everything leads somewhere."""
    for name, text in TREE.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.mark.slow
def test_everything_that_is_named_is_there() -> None:
    """A part of a page is named by its anchor, as in `README.md#read-on`."""
    found = Checkout(HOME).broken()
    assert not found, "\n".join(f"{b.file}:{b.line} names {b.reference}" for b in found)


GOOD = (
    "README.md#read-on",
    "docs/design/retail.md#bad-data",
    "decision record 7",
    "decisions 7 and so on",
    "F1, trap 4, I3, M2",
    "streams/run/batch.py, src/lakeshelf/streams, tests/test_a.py::test_that_it_works",
    "lakeshelf.streams.run.batch.Batch, lakeshelf.toml",
    "tests/test_<name>.py, delta/demo and .cache/jars",
    "https://example.org/docs/nothing.md, s3://docs/nothing, raw/shelf_events",
)
BROKEN = {
    "nowhere.md": "nowhere.md",
    "docs/nowhere.md": "docs/nowhere.md",
    "docs/design/retail.md#refill": "docs/design/retail.md#refill",
    "docs/design/retail.md, section 4": "docs/design/retail.md, section 4",
    "decision record 8": "decision record 8",
    "decision\nrecord 8": "decision\nrecord 8",
    "F2": "F2",
    "trap 5": "trap 5",
    "invariant I4": "I4",
    "M3": "M3",
    "streams/sink.py": "streams/sink.py",
    "src/lakeshelf/lake": "src/lakeshelf/lake",
    "lakeshelf.streams.commit.sink": "lakeshelf.streams.commit.sink",
    "lakeshelf.streams.run.batch.Lot": "lakeshelf.streams.run.batch.Lot",
    "tests/test_a.py::test_that": "tests/test_a.py::test_that",
}


@pytest.mark.parametrize("text", GOOD)
def test_a_reference_that_leads_somewhere_is_none_of_the_broken_ones(tree: Path, text: str) -> None:
    (tree / "tests/named.py").write_text(f'"""It is in {text}."""\n')
    (tree / "docs/page.md").write_text(f"It is in {text}.\n")
    assert Checkout(tree).broken() == []


@pytest.mark.parametrize(("text", "reference"), BROKEN.items())
def test_a_broken_reference_is_named_with_file_and_line(
    tree: Path, text: str, reference: str
) -> None:
    (tree / "tests/named.py").write_text(
        f'def f():\n    """A thing.\n\n    See ({text}).\n    """\n'
    )
    (tree / "docs/page.md").write_text(f"# A page\n\nSee ({text}).\n")
    assert Checkout(tree).broken() == [
        Broken("docs/page.md", 3, reference),
        Broken("tests/named.py", 4, reference),
    ]


def test_comments_are_read_and_other_texts_of_a_program_are_not(tree: Path) -> None:
    (tree / "tests/named.py").write_text('X = {\n    "docs/a.md": 1,\n}\ny = 1  # see docs/b.md\n')
    assert Checkout(tree).broken() == [Broken("tests/named.py", 4, "docs/b.md")]


@pytest.mark.parametrize("link", ["gone.md", "design", "../README.md#gone", "#gone", "../src/gone"])
def test_a_link_of_a_page_leads_from_its_folder(tree: Path, link: str) -> None:
    (tree / "docs/page.md").write_text(f"See [it]({link}).\n")
    found = {broken.reference for broken in Checkout(tree).broken()}
    assert found == (set() if link == "design" else {link})


def test_the_page_of_traps_has_those_that_are_shown() -> None:
    _, _, shown = (
        (DESIGN / "pitfalls.md").read_text(encoding="utf-8").partition("## Delta in Python")
    )
    assert re.findall(r"\*\*([^*]+)\*\*", shown) == list(SHOWN)


def test_the_retail_rules_have_every_reason_to_refuse_a_record() -> None:
    """Those of a message in the order in which they apply."""
    _, _, bad = (DESIGN / "retail.md").read_text(encoding="utf-8").partition("## Bad data")
    named = re.findall(r"`(\w+)`", "".join(re.findall(r"^\| (`[^|]+)\|", bad, re.MULTILINE)))
    others = (
        duplicates.CONFLICT,
        duplicates.CONFLICTING_VERSION,
        unknown_shelves("shelf_policies").reason,
        commands.REFUSED,
        UNPROCESSABLE,
    )
    assert named == [refusal.NOT_OWNER, *REASONS, *others]
