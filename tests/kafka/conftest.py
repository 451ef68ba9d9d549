"""The broker of the tests of the runtime."""

from __future__ import annotations

from tests.streams.conftest import client, own_settings  # noqa: F401 - fixtures
