"""Examinations of what a project declares: nothing has to run, and nothing is written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from lakeshelf.components import registry
from lakeshelf.contracts.layers import BRONZE
from lakeshelf.counts import count_of
from lakeshelf.ingestion.domain import declaration
from lakeshelf.settings import Settings, config_file, load_settings
from lakeshelf.stack.observing import doctor_lake
from lakeshelf.stack.observing.diagnosis import CheckFinding, bad, good

COMPOSE = "compose.env"
PREFIX = "LAKESHELF_"


def settings_in_force(settings: Settings) -> Iterator[CheckFinding]:
    """The settings; what cannot be has been refused where they were read."""
    yield good(f"of {config_file() or 'environment and defaults'}; the lake is {settings.lake}")


def compose(_: Settings) -> Iterator[CheckFinding]:
    """The environment of containers, beside the settings file: known names, values that can be, for its owner alone."""
    file = (config_file() or Path()).parent / COMPOSE
    if not file.is_file():
        yield good(f"no {COMPOSE}")
        return
    lines = [line.partition("=") for line in file.read_text(encoding="utf-8").splitlines()]
    environment = {
        name.strip(): value.strip() for name, sign, value in lines if sign and name[:1] != "#"
    }
    unknown = [name for name in environment if _setting(name) not in Settings.model_fields]
    for name in unknown:
        yield bad(f"{file}: {name} is no setting", "`lakeshelf config` lists them")
    load_settings(
        **{_setting(name): environment[name] for name in environment if name not in unknown}
    )
    if file.stat().st_mode & 0o077:
        yield bad(f"{file} can be read by others, and holds a secret", f"run `chmod 600 {file}`")
    elif not unknown:
        yield good(f"{len(environment)} settings of containers in {file}")


def components(settings: Settings) -> Iterator[CheckFinding]:
    """Declarations of the components."""
    yield good(count_of(len(registry.discover(*settings.homes)), "component"))


def datasets(settings: Settings) -> Iterator[CheckFinding]:
    """Declarations of files that become rows."""
    root = settings.lake_root
    files = [f for name in declaration.FILES for f in _declarations(root, name)]
    for file in files:
        declaration.parsed(file.read_bytes(), str(file), file.parent.name)
    yield good(f"{len(files)} declarations of files in {settings.lake}/{BRONZE}")


def _setting(name: str) -> str:
    return name.removeprefix(PREFIX).lower() if name.startswith(PREFIX) else ""


def _declarations(root: Path | str, name: str) -> list[Path]:
    return sorted((root / BRONZE).glob(f"*/{name}")) if isinstance(root, Path) else []


EXAMINATIONS = (
    ("settings", settings_in_force),
    ("containers", compose),
    ("project", doctor_lake.own),
    ("contract", doctor_lake.contract),
    ("jobs", doctor_lake.jobs),
    ("components", components),
    ("datasets", datasets),
)
