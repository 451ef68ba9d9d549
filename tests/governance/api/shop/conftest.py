"""The API beside a shop with a shelf that ran low, was refilled and had been delivered to."""

from __future__ import annotations

import pytest
from fastapi import FastAPI

from lakeshelf.governance.api.app import application
from lakeshelf.governance.services.context import Context
from tests.governance.api.conftest import ann, ben, cat, clock, context, database, eve, vic
from tests.governance.api.floor import shop, shop_template

__all__ = ["ann", "ben", "cat", "clock", "context", "database", "eve", "shop_template", "vic"]


@pytest.fixture
def app(context: Context, shop_template: str) -> FastAPI:
    return application(context, shop(context, shop_template))
