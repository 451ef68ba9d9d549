"""Topics and tables of single apps, a module each with the name of the app; `lakeshelf jobs new` writes one."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from lakeshelf.contracts.model import Table, Topic

_MODULES = [import_module(f"{__name__}.{module.name}") for module in iter_modules(__path__)]

TOPICS: tuple[Topic, ...] = tuple(t for module in _MODULES for t in getattr(module, "TOPICS", ()))
TABLES: tuple[Table, ...] = tuple(t for module in _MODULES for t in getattr(module, "TABLES", ()))
