"""Every page and every form, as they are declared."""

from __future__ import annotations

from lakeshelf.ui.page import Form, Page
from lakeshelf.ui.pages import (
    account,
    admin,
    audit,
    data,
    explore,
    floor,
    lineage,
    models,
    pipeline,
    reviews,
    trace,
    whatif,
)

_MODULES = (
    floor,
    data,
    reviews,
    models,
    whatif,
    explore,
    pipeline,
    lineage,
    trace,
    audit,
    admin,
    account,
)
"""In the order of the menu."""
PAGES: tuple[Page, ...] = tuple(page for module in _MODULES for page in module.PAGES)
FORMS: tuple[Form, ...] = tuple(form for module in _MODULES for form in module.FORMS)
