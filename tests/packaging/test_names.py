"""Names say what they are of: none is a word that says nothing of its value, and no two classes share one."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

HOME = Path(__file__).parents[2]
FOLDERS = ("src", "spark-apps", "kafka-components", "ml-model", "benchmarks")
VAGUE = {"found", "told", "wanted", "given", "there"}
WINDOWS = ("src/lakeshelf/governance/api/", "src/lakeshelf/governance/client/")
"""What callers of the API see of a thing has the name of the thing."""
SAME = {
    "Context": "what a component works with, as projects write it, and what a service of governed datasets works with",
    "Table": "as a contract declares it, and as the library opens it: users have both names",
    "View": "SQL over other tables, which a contract leaves to who reads and a job keeps: projects write both names",
}
"""Names that stand twice all the same → what both are."""


def named(node: ast.AST) -> str | None:
    """The name that a node gives to a value, a function or a class."""
    match node:
        case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
            return name
        case ast.arg(arg=name) | ast.alias(asname=name) | ast.MatchMapping(rest=name):
            return name
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return name
        case ast.ExceptHandler(name=name) | ast.MatchAs(name=name) | ast.MatchStar(name=name):
            return name
    return None


def vague(root: Path) -> Iterator[str]:
    """File, line and name of each vague name in the code of a checkout."""
    for file in sorted(f for folder in FOLDERS for f in (root / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            name = named(node)
            if name is not None and name.strip("_").lower() in VAGUE:
                yield f"{file.relative_to(root).as_posix()}:{getattr(node, 'lineno', 0)} {name}"


@pytest.mark.slow
def test_no_name_is_vague() -> None:
    """A value is called rows, path, message or requested columns: whatever it is."""
    places = list(vague(HOME))
    assert not places, "\n".join(places)


@pytest.mark.parametrize(
    "code",
    [
        "found = 1",
        "TOLD = 1",
        "class _Found: ...",
        "lake.wanted = 1",
        "class Row:\n    there: int",
        "rows = [told for told in lake]",
        "if found := lake: ...",
        "with lake as given: ...",
        "def rows(given): ...",
        "def rows(*, wanted=None, **options): ...",
        "rows = lambda found: lake",
        "def told(): ...",
        "async def _found(): ...",
        "import rows as given",
        "try: ...\nexcept OSError as told: ...",
        "match lake:\n    case [_, *there]: ...",
    ],
)
def test_a_vague_name_is_refused_with_its_place(tmp_path: Path, code: str) -> None:
    """Each is in the last line."""
    file = tmp_path / "src" / "shop" / "rows.py"
    file.parent.mkdir(parents=True)
    file.write_text(code)
    (place,) = vague(tmp_path)
    assert place.startswith(f"src/shop/rows.py:{len(code.splitlines())} ")


def test_a_text_and_a_key_may_be_any_word(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "rows.py").write_text('"""What was found."""\nrow = {"found": 1}\n')
    assert not list(vague(tmp_path))


def is_port(node: ast.ClassDef) -> bool:
    """Whether a class says what another one, of the same name, has to do."""
    return any("Protocol" in ast.unparse(base) for base in node.bases)


def shared(root: Path) -> dict[str, list[str]]:
    """Public class that stands in several files → those files, but for ports and windows."""
    places = defaultdict(list)
    for file in sorted(f for folder in FOLDERS for f in (root / folder).rglob("*.py")):
        place = file.relative_to(root).as_posix()
        if place.startswith(WINDOWS):
            continue
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and node.name[0] != "_" and not is_port(node):
                places[node.name].append(place)
    return {name: files for name, files in places.items() if len(files) > 1}


@pytest.mark.slow
def test_no_two_classes_share_a_name() -> None:
    """A name means one thing; two that mean the same stand in `SAME`, and nothing else does."""
    names = shared(HOME)
    assert names.keys() == SAME.keys(), names


def test_a_name_that_stands_twice_is_told_with_its_places(tmp_path: Path) -> None:
    for place, bases in {
        "src/plans.py": "",
        "benchmarks/plans.py": "",
        "src/ports.py": "(Protocol)",
        "src/lakeshelf/governance/api/plans.py": "",
    }.items():
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).write_text(f"class Plan{bases}: ...\nclass _Own: ...\n")
    assert shared(tmp_path) == {"Plan": ["benchmarks/plans.py", "src/plans.py"]}
    (tmp_path / "benchmarks" / "plans.py").unlink()
    assert shared(tmp_path) == {}
