"""What a name stands for: a table in a layer, or the dataset of a project. A word is one of the two, never both."""

from __future__ import annotations

from lakeshelf.contracts import CATALOG
from lakeshelf.contracts.layers import BRONZE, SILVER
from lakeshelf.lake.place import projects, storage
from lakeshelf.lake.place.errors import NameRefused
from lakeshelf.lake.place.location import Root


def path_of(root: Root, name: str) -> str:
    """Path of a dataset's table below the root: that in its project, if there is one, or else its name.

    Raises:
        NameRefused: There are two tables of that name.
        StorageError: The lake cannot be read.
    """
    if not projects.may_be(name) or _layer(name) in reserved():
        return name
    path = projects.main(name)
    if not storage.is_table(root, path):
        return name
    if storage.is_table(root, name):
        raise NameRefused(
            f"{name} lies at two places of {root}: {path} and {name}",
            hint=f"no project is called like a layer: move the table {name} away",
        )
    return path


def reserved() -> set[str]:
    """Layers that every lake has, whether or not a table is in them."""
    return {BRONZE, SILVER, projects.FOLDER, *map(_layer, (*CATALOG.tables, *CATALOG.views))}


def require_project(root: Root, project: str) -> str:
    """The id of a project that is there or can be made.

    Raises:
        NameRefused: It is no id, or what a layer of the lake is called.
    """
    layers = {_layer(name) for name in storage.layer_tables(root)}
    if projects.checked(project) in reserved() | layers:
        raise NameRefused(
            f"no project can be called {project}, which is a layer of the lake",
            hint="choose another name for the project",
        )
    return project


def require_path(root: Root, name: str, path: str) -> None:
    """Refuse to make a table where its name would mean two things.

    Args:
        root: Root of the lake.
        name: The dataset.
        path: Where its table shall lie.

    Raises:
        NameRefused: Its project is called like a layer, or its layer like a project.
    """
    layer = _layer(name)
    if projects.named(path) is not None:
        require_project(root, layer)
    elif layer == projects.FOLDER:
        raise NameRefused(
            f"{name} would lie among the projects", hint="choose another layer for the table"
        )
    elif layer not in reserved() and storage.has_folder(root, f"{projects.FOLDER}/{layer}"):
        raise NameRefused(
            f"{layer} is a project, so it is no layer that {name} can be made in",
            hint="choose another layer for the table",
        )


def _layer(name: str) -> str:
    return name.partition("/")[0]
