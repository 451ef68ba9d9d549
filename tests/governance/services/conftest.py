"""A small governed dataset with its people, on a worker that the validation's tests share."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import pytest

from lakeshelf.contracts import CATALOG
from lakeshelf.governance.domain.binding import bound
from lakeshelf.governance.domain.permissions import Role
from lakeshelf.governance.metadata import Metadata
from lakeshelf.governance.metadata.tables.people import User
from lakeshelf.governance.metadata.tables.projects import Membership, Project
from lakeshelf.governance.services import datasets
from lakeshelf.governance.services.context import Caller, Context
from lakeshelf.governance.validation.remote import Worker
from lakeshelf.lake.place.location import Root

START = datetime(2026, 3, 14, 10, tzinfo=UTC)
ANN, BEN, CAT, VIC, EVE = (Caller(name) for name in ("ann", "ben", "cat_", "vic", "eve"))
ROLES: dict[str, Role] = {
    "ann": "owner",
    "ben": "contributor",
    "cat_": "contributor",
    "vic": "viewer",
}
PROJECT, DATASET = "retail", "shelf_policies"


class Clock:
    """Time that moves when it is told to."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def pass_(self, **of: float) -> None:
        self.now += timedelta(**of)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def context(metadata: Metadata, tmp_path: Path, worker: Worker, clock: Clock) -> Context:
    """Services over an empty dataset `retail/shelf_policies`, with ann, ben, cat_, vic and the outsider eve."""
    return services(metadata, tmp_path / "lake", worker, clock)


def services(metadata: Metadata, lake: Path, worker: Worker, clock: Clock) -> Context:
    """Services over a new lake and an empty database."""
    ids = count(1)
    made = Context(
        metadata, Root.at(lake), worker, clock, lambda: f"{next(ids):032x}", holder="here"
    )
    with metadata.transaction() as tx:
        for name in (*ROLES, "eve"):
            tx.people.add(User(name, "", False, START))
        tx.projects.add(Project(PROJECT, "Retail", "", "ann", START))
        for name, role in ROLES.items():
            if role != "owner":
                tx.projects.set_role(Membership(PROJECT, name, role, "ann", START))
    datasets.create(made, ANN, PROJECT, DATASET, bound(CATALOG.topics[DATASET]))
    return made
