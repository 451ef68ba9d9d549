"""The staff of the shop: members of the project whose datasets the shop obeys."""

from __future__ import annotations

from typing import Literal

from lakeshelf.governance.domain.permissions import SHOP, Actor, can, require
from lakeshelf.governance.metadata.opening import Transaction
from lakeshelf.governance.services.context import Caller, Context

ASKS, SEES, DECIDES = "look_after_shelves", "see_acts", "promote_models"
"""What staff does: ask for something to be done, see what others asked for, and decide which model orders."""


def of_staff(tx: Transaction, caller: Caller) -> Actor:
    """The caller with its role in the shop."""
    return Actor(caller.user, tx.projects.role(SHOP, caller.user), caller.scopes, caller.admin)


def require_staff(tx: Transaction, caller: Caller, action: str) -> None:
    """Refuse who may not do something in the shop.

    Raises:
        GovernanceError: `forbidden`.
    """
    require(of_staff(tx, caller), action)


def can_ask(context: Context, caller: Caller) -> Literal[True] | str:
    """Whether the caller may ask for something to be done in the shop, or the reason why not."""
    with context.metadata.reading() as tx:
        return can(of_staff(tx, caller), ASKS)
