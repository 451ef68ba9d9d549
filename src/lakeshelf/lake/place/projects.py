"""Datasets of projects: named `<project>/<dataset>`, and kept in a folder of their own, whose `main` is the table.

    projects/<project>/datasets/<dataset>/main

Whatever else a dataset has lies beside `main`. Names are told apart from those of layers by what lies in the lake:
no project is called like a layer of it (`lakeshelf.lake.place.layers`).
"""

from __future__ import annotations

import re

from lakeshelf.lake.place.errors import NameRefused

FOLDER, DATASETS, MAIN = "projects", "datasets", "main"
_ID = "[a-z][a-z0-9_]{2,62}"
_NAME = re.compile(f"({_ID})/({_ID})")
_PATH = re.compile(f"{FOLDER}/({_ID})/{DATASETS}/({_ID})/{MAIN}")
_PLACE = re.compile(f"(.+)/({_PATH.pattern})")
_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")


def checked(identity: str) -> str:
    """The id of a project or of a dataset in it, if it is one.

    Raises:
        NameRefused: It is none.
    """
    if not isinstance(identity, str) or not re.fullmatch(_ID, identity):
        raise NameRefused(
            f"{identity!r} is no id of a project or dataset",
            hint="write lower-case letters, digits and underscores, a letter first, 3 to 63 characters",
        )
    return identity


def folder(name: str) -> str:
    """Folder of a dataset below the root, with everything that it has.

    Raises:
        NameRefused: It is no `<project>/<dataset>`.
    """
    project, _, dataset = name.partition("/") if isinstance(name, str) else (name, "", "")
    return f"{FOLDER}/{checked(project)}/{DATASETS}/{checked(dataset)}"


def main(name: str) -> str:
    """Path of a dataset's table below the root; errors as for `folder`."""
    return inside(name, MAIN)


def inside(name: str, *parts: str) -> str:
    """Path of something that a dataset has, which never leads out of its folder.

    Args:
        name: The dataset, `<project>/<dataset>`.
        parts: Folders and at last a file or folder, one name each.

    Raises:
        NameRefused: A part could be a path, or be read as another one.
    """
    for part in parts:
        if not isinstance(part, str) or not _PART.fullmatch(part):
            raise NameRefused(
                f"{part!r} is no name of a file of {name}",
                hint="write letters, digits and `_.-`, none of `.` and `-` first, 128 characters at most",
            )
    return "/".join((folder(name), *parts))


def may_be(name: str) -> bool:
    """Whether a name can be that of a project's dataset."""
    return _NAME.fullmatch(name) is not None


def named(path: str) -> str | None:
    """Name of the dataset whose table lies at a path below the root; None: it is no project's."""
    match = _PATH.fullmatch(path)
    return f"{match[1]}/{match[2]}" if match else None


def apart(address: str) -> tuple[str, str] | None:
    """Root and path of the table of a project's dataset, by its address; None: it is none."""
    match = _PLACE.fullmatch(address)
    return (match[1], match[2]) if match else None
