"""References that docstrings, comments and pages of a checkout make to its own files, and whether they lead somewhere.

| a reference | leads to |
|---|---|
| a link of a page, with or without an anchor | a file or folder; a heading or an `id` of the page |
| a page by its name or path, with or without an anchor | the same, below the root or beside the file that names it |
| a path that begins with a folder of the checkout, or a module below one of `src/lakeshelf` | a file or folder |
| a dotted name of the library | a module, or a word of one |
| a test behind two colons | a function of that file |
| the number of a decision record, fault, invariant or trap | its file, or its place on the page of all of them |

What `.gitignore` names is made while the product runs, and need not be there.
"""

from __future__ import annotations

import os
import re
import tokenize
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cached_property, partial
from pathlib import Path
from typing import NamedTuple

RECORDS, LIBRARY = "docs/adr", "src/lakeshelf"
NUMBERED = {
    re.compile(r"(?<!<kbd>)\bF(\d{1,2})\b"): ("docs/design/faults.md", "f"),
    re.compile(r"\b[Tt]raps?\s+(\d+)\b"): ("docs/design/pitfalls.md", "trap-"),
    re.compile(r"\bI(\d)\b"): ("docs/promises.md", "i"),
    re.compile(r"\bM(\d)\b"): ("docs/promises.md", "m"),
}
"""How a number is named → the page that has it, and how its anchor begins."""
RECORD = re.compile(r"\b[Dd]ecisions?(?:\s+records?)?\s+(\d+)\b")
LINK = re.compile(r"(?<=\]\()(?!\w+:)[^)\s]+")
NAME = re.compile(r"(?<![\w./-])lakeshelf(?:\.[A-Za-z_]\w*)+")
PATH = re.compile(r"(?<![\w/.~:-])((?:[\w.-]+/)+[\w.-]*|[\w-]+\.md)(?:#([\w-]+)|::(\w+))?")
BY_NUMBER = re.compile(r"[\w/-]+\.md`?,\s+(?:(?:sections?|traps?|steps?)\s+\d+|\"[^\"]+\")")
"""A part of a page without its anchor."""
SHOWN = re.compile(r"^ *```\w+\n *# (\S+)$", re.MULTILINE)
PLACEHOLDER = ("<", "*", "{", "…")
BETWEEN = {tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENCODING}
"""Tokens behind which a statement begins."""


class Passage(NamedTuple):
    """Text that people read: the file, the line on which it begins, and what it says."""

    file: Path
    line: int
    text: str


class Broken(NamedTuple):
    """A reference that leads nowhere."""

    file: str
    line: int
    reference: str


Leads = Callable[[Passage, re.Match[str]], bool]
"""Whether a reference, found in a passage, leads somewhere."""


@dataclass(frozen=True)
class Checkout:
    """A tree of files that refer to one another.

    Attributes:
        root: Its folder.
    """

    root: Path

    def broken(self) -> list[Broken]:
        """All references that lead nowhere, by file and line."""
        found = [
            Broken(
                passage.file.relative_to(self.root).as_posix(),
                passage.line + passage.text.count("\n", 0, at),
                reference,
            )
            for file in sorted(self._files())
            for passage in passages(file)
            for at, reference in self._broken(passage)
        ]
        return sorted(set(found))

    def is_made(self, path: str) -> bool:
        """Whether a path is made while the product runs."""
        return any(fnmatch(path, m) or fnmatch(path, f"{m}/*") for m in self._made)

    @cached_property
    def _shown(self) -> frozenset[str]:
        """Files whose content a page shows in a block that begins with their path, for readers to make."""
        pages = (file for file in self._files() if file.suffix == ".md")
        return frozenset(
            path for page in pages for path in SHOWN.findall(page.read_text(encoding="utf-8"))
        )

    @cached_property
    def _made(self) -> tuple[str, ...]:
        ignored = self.root / ".gitignore"
        lines = ignored.read_text(encoding="utf-8").splitlines() if ignored.exists() else []
        return tuple(line.strip("/") for line in lines if line and not line.startswith("!"))

    @cached_property
    def _folders(self) -> frozenset[str]:
        return frozenset(path.name for path in self.root.iterdir() if path.is_dir())

    @cached_property
    def _rooms(self) -> frozenset[str]:
        return frozenset(path.name for path in (self.root / LIBRARY).glob("*/"))

    def _files(self) -> Iterator[Path]:
        for folder, below, names in os.walk(self.root):
            place = Path(folder)
            below[:] = [
                name
                for name in below
                if not name.startswith((".", "__"))
                and not self.is_made((place / name).relative_to(self.root).as_posix())
            ]
            yield from (place / name for name in names if name.endswith((".py", ".md")))

    def _broken(self, passage: Passage) -> Iterator[tuple[int, str]]:
        kinds: list[tuple[re.Pattern[str], Leads]] = [
            (BY_NUMBER, lambda *_: False),
            (RECORD, self._is_record),
            (NAME, self._is_name),
            (PATH, self._is_path),
            *((pattern, partial(self._is_numbered, *place)) for pattern, place in NUMBERED.items()),
        ]
        if passage.file.suffix == ".md":
            kinds.append((LINK, self._is_link))
        for pattern, leads in kinds:
            for match in pattern.finditer(passage.text):
                if not leads(passage, match):
                    yield match.start(), match[0]

    def _is_record(self, _: Passage, match: re.Match[str]) -> bool:
        return bool([*(self.root / RECORDS).glob(f"{int(match[1]):04}-*.md")])

    def _is_numbered(self, page: str, prefix: str, _: Passage, match: re.Match[str]) -> bool:
        return f"{prefix}{match[1]}" in anchors(self.root / page)

    def _is_link(self, passage: Passage, match: re.Match[str]) -> bool:
        path, _, anchor = match[0].partition("#")
        target = passage.file.parent / path if path else passage.file
        return target.exists() and (not anchor or anchor in anchors(target))

    def _is_name(self, _: Passage, match: re.Match[str]) -> bool:
        place, (_, *parts) = self.root / LIBRARY, match[0].split(".")
        while parts and (place / parts[0]).is_dir():
            place /= parts.pop(0)
        module = place / "__init__.py"
        if parts and (place / f"{parts[0]}.py").exists():
            module = place / f"{parts.pop(0)}.py"
        return not parts or self.is_made(match[0]) or _names(module, parts[0])

    def _is_path(self, passage: Passage, match: re.Match[str]) -> bool:
        path, anchor, test = match[1].rstrip(".-"), match[2], match[3]
        if passage.text[match.end() :].startswith(PLACEHOLDER):
            path = path.rpartition("/")[0]
        if not self._is_ours(path) or self.is_made(path.rstrip("/")) or path in self._shown:
            return True
        places = (self.root, self.root / LIBRARY, passage.file.parent)
        targets = [place / path for place in places if (place / path).exists()]
        return any(_has(target, anchor, test) for target in targets)

    def _is_ours(self, path: str) -> bool:
        first = path.partition("/")[0]
        return (
            path.endswith(".md")
            or first in self._folders
            or (first in self._rooms and path.endswith(".py"))
        )


def passages(file: Path) -> Iterator[Passage]:
    """A page as a whole; of a module its docstrings and comments."""
    if file.suffix == ".md":
        yield Passage(file, 1, file.read_text(encoding="utf-8"))
        return
    with file.open("rb") as source:
        begins = True
        for token in tokenize.tokenize(source.readline):
            if token.type == tokenize.COMMENT or (token.type == tokenize.STRING and begins):
                yield Passage(file, token.start[0], token.string)
            if token.type not in (tokenize.NL, tokenize.COMMENT):
                begins = token.type in BETWEEN


def anchors(page: Path) -> frozenset[str]:
    """Anchors of a page: ids that it gives, and its headings as GitHub names them."""
    if not page.is_file():
        return frozenset()
    text = page.read_text(encoding="utf-8")
    headings = re.findall(
        r"^#+ (.+)$", re.sub(r"```.*?```", "", text, flags=re.DOTALL), re.MULTILINE
    )
    return frozenset((*re.findall(r'<a id="([^"]+)">', text), *map(_slug, headings)))


def _slug(heading: str) -> str:
    return re.sub(r"[^\w -]", "", heading.strip().lower()).replace(" ", "-")


def _names(module: Path, word: str) -> bool:
    return module.exists() and bool(re.search(rf"\b{word}\b", module.read_text(encoding="utf-8")))


def _has(target: Path, anchor: str | None, test: str | None) -> bool:
    if anchor:
        return anchor in anchors(target)
    return not test or bool(
        re.search(rf"^\s*def {test}\b", target.read_text(encoding="utf-8"), re.MULTILINE)
    )
