"""People, a project and datasets to try things with: in the embedded mode alone."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from lakeshelf.contracts import CATALOG
from lakeshelf.governance.domain.binding import bound
from lakeshelf.governance.domain.permissions import SCOPES, SHOP, Role
from lakeshelf.governance.errors import GovernanceError
from lakeshelf.governance.metadata.opening import Transaction
from lakeshelf.governance.metadata.tables.people import User
from lakeshelf.governance.metadata.tables.projects import Membership, Project
from lakeshelf.governance.services import datasets
from lakeshelf.governance.services.changes.finishing import SERVICE
from lakeshelf.governance.services.context import Caller, Context, record
from lakeshelf.governance.services.people import users

PROJECT = SHOP
OWNER = "ann"
ROLES: Mapping[str, Role] = {
    OWNER: "owner",
    "ben": "contributor",
    "cat": "contributor",
    "vic": "viewer",
}
"""Sample people and what they are in the project; the owner is an admin too."""
DATASETS: Mapping[str, str] = {
    "shelf_policies": "Shelf policies",
    "wh_policies": "Back room policies",
    "shelf_profiles": "Shelf profiles",
    "batch_catalog": "Lots",
}
"""Datasets that feed the topics which the jobs obey."""
GOOD_FOR = timedelta(days=366)


def make(context: Context, folder: Path) -> None:
    """See to it that sample people, their tokens, the project and its datasets are there.

    Nothing is made where somebody has made users already.

    Args:
        context: What it stands on.
        folder: Folder of the tokens; each is a file that its user alone may read.
    """
    if make_people(context, folder):
        for dataset, title in DATASETS.items():
            _dataset(context, dataset, title)


def make_people(context: Context, folder: Path) -> bool:
    """See to it that sample people, their tokens and the project are there, and leave the lake as it is.

    Args:
        context: What it stands on.
        folder: Folder of the tokens.

    Returns:
        Whether the people are those of the sample; else somebody has made users.
    """
    with context.metadata.transaction() as tx:
        if tx.people.all() and not folder.is_dir():
            return False
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _people(context, tx)
        is_new = not tx.projects.all()
        if is_new:
            now = context.clock()
            tx.projects.add(Project(PROJECT, "Retail", "Sample project", OWNER, now))
            record(tx, SERVICE, "project.created", now, project=PROJECT)
            _members(context, tx)
        lacking = [name for name in ROLES if not _is_good(context, tx, folder / name)]
    for name in lacking:
        _token(context, name, folder / name)
    return True


def keep_secret(file: Path, secret: str) -> None:
    """Write a secret to a file that its user alone may read."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = file.with_name(f".{file.name}.{os.getpid()}")
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as opened:
        opened.write(f"{secret}\n")
    fresh.replace(file)


def _people(context: Context, tx: Transaction) -> None:
    known, now = {user.name for user in tx.people.all()}, context.clock()
    for name in ROLES:
        if name not in known:
            tx.people.add(User(name, name.capitalize(), name == OWNER, now))
            details = {"user": name, "admin": name == OWNER}
            record(tx, SERVICE, "user.added", now, details=details)


def _members(context: Context, tx: Transaction) -> None:
    now = context.clock()
    for name, role in ROLES.items():
        tx.projects.set_role(Membership(PROJECT, name, role, OWNER, now))
        details = {"user": name, "role": role}
        record(tx, SERVICE, "member.set", now, project=PROJECT, details=details)


def _is_good(context: Context, tx: Transaction, file: Path) -> bool:
    try:
        secret = file.read_text().strip()
        tx.people.authenticate(secret, context.clock())
    except (OSError, GovernanceError):
        return False
    return True


def _token(context: Context, name: str, file: Path) -> None:
    admin = Caller(OWNER, admin=True)
    _, secret = users.issue(context, admin, name, label="sample", scopes=SCOPES, length=GOOD_FOR)
    keep_secret(file, secret)


def _dataset(context: Context, dataset: str, title: str) -> None:
    with context.metadata.reading() as tx:
        known = {one.id for one in tx.datasets.all(PROJECT)}
    if dataset in known:
        return
    definition = bound(CATALOG.topics[dataset])
    try:
        datasets.create(context, Caller(OWNER), PROJECT, dataset, definition, title=title)
    except GovernanceError as error:
        if error.code != "exists":  # another process made it meanwhile
            raise
