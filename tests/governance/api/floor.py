"""A shop for tests of the API: a lake with a shelf that ran low, and a stack of it that is down."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from lakeshelf.governance.services.context import Context
from lakeshelf.governance.services.shop.running import Message, Shop
from lakeshelf.settings import load_settings
from lakeshelf.stack.serving import beside
from tests.cli.shop.told_shop import OPENED, write_all
from tests.governance.api import modelled


@pytest.fixture(scope="session")
def shop_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake in which something has happened."""
    root = tmp_path_factory.mktemp("shop")
    write_all(root)
    modelled.write(root)
    return root


def shop(context: Context, template: Path) -> Shop:
    """The shop of a lake, in which the same has happened; nothing of its stack runs."""
    assert context.root.folder is not None
    shutil.copytree(template, context.root.folder, dirs_exist_ok=True)
    return beside.shop(
        load_settings(lake_root=context.root.folder, state_dir=template.parent / "state")
    )


def answering(shop: Shop, sent: list[Message] | None = None) -> Shop:
    """The shop, with a broker that takes every message and holds nothing else."""
    kept = [] if sent is None else sent
    lags = {"alerts-sink": {"alerts": 0}}
    return replace(shop, lags=lambda: lags, now=lambda: OPENED, send=kept.extend)
