"""What an extra brings is declared as pyproject.toml has it, and its absence is told in one line."""

from __future__ import annotations

import tomllib
from importlib import metadata
from pathlib import Path

import pytest
import typer

from lakeshelf import extras
from lakeshelf.cli import main
from lakeshelf.errors import MissingExtra

HOME = Path(__file__).parents[2]
OWN = ("all", "dev")
UNUSED = {"adbc_driver_duckdb", "mpl_toolkits", "pylab"}
"""Modules that come along, and that nothing of ours imports."""


def names(requirement: str) -> str:
    """The distribution that a requirement asks for, in the spelling of the index."""
    name = requirement
    for end in "[<>=~ ;":
        name = name.partition(end)[0]
    return name.lower().replace("_", "-")


def declared() -> dict[str, set[str]]:
    """Extra → import names of what pyproject.toml asks for; without an extra that is not installed."""
    project = tomllib.loads((HOME / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    imports: dict[str, set[str]] = {}
    for module, distributions in metadata.packages_distributions().items():
        for distribution in distributions:
            imports.setdefault(distribution.lower().replace("_", "-"), set()).add(module)
    return {
        extra: {
            module
            for requirement in requirements
            for module in imports[names(requirement)]
            if not module.startswith("_") and module not in UNUSED
        }
        for extra, requirements in project["optional-dependencies"].items()
        if extra not in OWN and imports.keys() >= set(map(names, requirements))
    }


def test_every_extra_has_the_imports_of_its_requirements() -> None:
    installed = {e: set(modules) for e, modules in extras.EXTRAS.items() if not extras.absent((e,))}
    assert installed == declared()


@pytest.mark.parametrize(
    ("module", "hint"),
    [
        ("duckdb", "lakeshelf[query]"),
        ("python_calamine.sheets", "lakeshelf[files]"),
        ("hamilton", "lakeshelf[hamilton]"),
        ("sqlalchemy", "lakeshelf[governance]"),
    ],
)
def test_a_missing_module_leads_to_its_extra(module: str, hint: str) -> None:
    error = extras.missing(ModuleNotFoundError(f"No module named {module!r}", name=module))
    assert error is not None
    assert hint in str(error)
    assert error.exit_code == 1


def test_what_runs_a_shop_is_asked_for_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda module: None)
    error = extras.missing(ModuleNotFoundError("…", name="confluent_kafka"))
    assert "lakeshelf[kafka,query,replay,spark]" in str(error)


def test_a_module_of_no_extra_stays_what_it_is() -> None:
    assert extras.missing(ModuleNotFoundError("…", name="lakeshelf.nowhere")) is None
    assert extras.missing(ModuleNotFoundError("…")) is None


def test_where_a_part_of_an_extra_is_enough_the_rest_may_be_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda name: None if name == "polars" else name)
    extras.require("query", "duckdb", "pandas")
    with pytest.raises(MissingExtra, match="polars is not installed"):
        extras.require("query")


def test_a_command_whose_extra_is_missing_says_so_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    app = typer.Typer()
    app.callback()(lambda: None)

    @app.command("sql")
    def broken() -> None:
        raise ModuleNotFoundError("No module named 'duckdb'", name="duckdb")

    monkeypatch.setattr(main, "app", app)
    assert main.run(["sql"]) == 1
    assert capfd.readouterr().err == (
        "error: duckdb is not installed; run `pip install 'lakeshelf[query]'`\n"
    )
