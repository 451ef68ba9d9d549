"""Lives of alerts and plans: what they are about, which states they go through, how their ids begin."""

from __future__ import annotations


class AlertKind:
    """What an alert is about; its id begins with that."""

    REFILL_REQUEST = "refill_request"
    SUPPLIER_REQUEST = "supplier_request"
    NEAR_EXPIRY = "near_expiry"
    EXPIRED_REMOVAL = "expired_removal"


ALERT_KINDS = (
    AlertKind.REFILL_REQUEST,
    AlertKind.SUPPLIER_REQUEST,
    AlertKind.NEAR_EXPIRY,
    AlertKind.EXPIRED_REMOVAL,
)
OPEN_ALERT = ("open", "ack")
"""States of an alert whose condition is true for all that is known."""
ALERT_STATES = (*OPEN_ALERT, "resolved", "dismissed")


class PlanKind:
    """How the id of a plan begins."""

    RESTOCK = "restock"
    SUPPLY = "supply"


PENDING_PLAN = ("pending",)
"""State of a plan that still follows what is needed."""
OPEN_PLAN = (*PENDING_PLAN, "issued")
"""States of a plan that is not over."""
PLAN_STATES = (*OPEN_PLAN, "completed", "canceled")
