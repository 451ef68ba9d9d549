"""Entry points of apps that are commands by themselves; the app stands in its own folder."""

from __future__ import annotations

import runpy

from lakeshelf.settings import load_settings


def init_delta() -> None:
    """`spark-init-delta`: create every table of the lake."""
    app = load_settings().home / "spark-apps" / "deltalake" / "init_delta.py"
    runpy.run_path(str(app), run_name="__main__")
