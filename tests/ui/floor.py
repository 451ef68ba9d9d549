"""The application with its pages on a shop that has alerts, and what it sends."""

from __future__ import annotations

from pathlib import Path

import pytest
from fastapi import FastAPI

from lakeshelf.governance.api.app import application
from lakeshelf.governance.services.context import Context
from lakeshelf.governance.services.shop.running import Message
from lakeshelf.ui import serving
from tests.governance.api.floor import answering, shop, shop_template

__all__ = ["app", "sent", "shop_template"]


@pytest.fixture
def sent() -> list[Message]:
    """Messages that pages have sent."""
    return []


@pytest.fixture
def app(context: Context, shop_template: Path, sent: list[Message]) -> FastAPI:
    """As its server has it."""
    return app_of(context, shop_template, sent)


def app_of(context: Context, template: Path, sent: list[Message]) -> FastAPI:
    """The application on the shop of a template."""
    made = application(context, answering(shop(context, template), sent))
    serving.install(made)
    return made
