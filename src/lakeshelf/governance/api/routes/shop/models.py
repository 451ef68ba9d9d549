# ruff: noqa: PLC0415 - what is heavy is imported by the call that needs it
"""Versions of the model that orders: what each is worth, how it does, which one decides."""

from __future__ import annotations

from lakeshelf import extras
from lakeshelf.governance.api.calling import By, Limit, Offset, On, router, shop_tables
from lakeshelf.governance.api.door.failures import documented
from lakeshelf.governance.api.routes.shop.model_shapes import (
    CardAnswer,
    ModelAnswer,
    ModelsAnswer,
    Promotion,
    Rollback,
)


def models_installed() -> None:
    """Refuse what models need where it is not installed.

    Raises:
        MissingExtra: It is not.
    """
    extras.require("ml", "numpy")


routes = router("models", shop_tables, models_installed)
ONE = "/models/{version}"
DECIDING = documented("transition_refused", "state_changed")


@routes.get("/models")
def list_models(context: On, caller: By, offset: Offset = 0, limit: Limit = 20) -> ModelsAnswer:
    """Versions, the newest first: gates, scores beside every baseline, health, and which are in use."""
    from lakeshelf.governance.services.shop import models

    return ModelsAnswer.of(models.models(context, caller, offset, limit))


@routes.get(ONE)
def get_model(context: On, caller: By, version: str) -> CardAnswer:
    """A version with its card, after its files were compared with their hashes."""
    from lakeshelf.governance.services.shop import models

    return CardAnswer.of(models.model(context, caller, version))


@routes.post(f"{ONE}/promotion", responses=DECIDING)
def promote(context: On, caller: By, version: str, body: Promotion) -> list[ModelAnswer]:
    """Take a version one step up; the versions that changed, none where it is that already."""
    from lakeshelf.governance.services.shop import models

    changed = models.promote(context, caller, version, body.to, body.reason)
    return list(map(ModelAnswer.of, changed))


@routes.post(f"{ONE}/rollback", responses=DECIDING)
def roll_back(context: On, caller: By, version: str, body: Rollback) -> list[ModelAnswer]:
    """Retire the champion; the one that it replaced decides again, or the rule; the versions that changed."""
    from lakeshelf.governance.services.shop import models

    return list(map(ModelAnswer.of, models.roll_back(context, caller, version, body.reason)))
