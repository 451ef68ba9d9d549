"""What a reader has to hold in mind at once stays small: lines of a file, modules of a folder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

HOME = Path(__file__).parents[2]
FOLDERS = ("src", "spark-apps", "kafka-components", "ml-model", "benchmarks", "tests")
LINES, MODULES = 400, 14


def too_long(root: Path) -> Iterator[str]:
    """Files with more lines than somebody reads in one go."""
    for file in sorted(f for folder in FOLDERS for f in (root / folder).rglob("*.py")):
        lines = len(file.read_text(encoding="utf-8").splitlines())
        if lines > LINES:
            yield f"{file.relative_to(root).as_posix()}: {lines} lines"


def too_full(root: Path) -> Iterator[str]:
    """Folders of the package with more modules than a picture of it can show."""
    modules = Counter(f.parent for f in (root / "src").rglob("*.py") if f.name != "__init__.py")
    for folder, count in sorted(modules.items()):
        if count > MODULES:
            yield f"{folder.relative_to(root).as_posix()}: {count} modules"


def test_no_file_is_too_long() -> None:
    """A file that grows is split along a noun."""
    assert list(too_long(HOME)) == []


def test_no_folder_is_too_full() -> None:
    """A folder that grows becomes rooms."""
    assert list(too_full(HOME)) == []


def test_one_line_and_one_module_too_many_are_named(tmp_path: Path) -> None:
    """The bounds hold at their edges."""
    folder = tmp_path / "src"
    folder.mkdir()
    for number in range(MODULES):
        (folder / f"m{number:02}.py").write_text("\n" * LINES)
    assert [*too_long(tmp_path), *too_full(tmp_path)] == []
    (folder / "m00.py").write_text("\n" * (LINES + 1))
    (folder / "another.py").touch()
    assert list(too_long(tmp_path)) == ["src/m00.py: 401 lines"]
    assert list(too_full(tmp_path)) == ["src: 15 modules"]
