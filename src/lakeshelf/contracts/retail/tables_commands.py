"""Tables of what was asked of the alert engines, one each."""

from __future__ import annotations

from dataclasses import replace

from lakeshelf.contracts.layers import Ops
from lakeshelf.contracts.model import Table
from lakeshelf.contracts.retail import shared as s
from lakeshelf.contracts.retail.tables_raw import ORIGIN
from lakeshelf.contracts.retail.topics_events import COMMANDS
from lakeshelf.contracts.types import LONG, STRING, Field


def commands(name: str, owner: str) -> Table:
    """The table of the commands that an engine judges."""
    return Table(
        name=name,
        key=("event_id",),
        owner=owner,
        doc=f"What was asked of {owner}, and why it was refused where it was.",
        columns=(
            s.described(s.EVENT_ID, "The command."),
            s.described(s.EVENT_TIME, "When it was asked."),
            *(COMMANDS.field(name) for name in ("command", "target_id", "actor")),
            Field("refusal", STRING, "Why it was refused; null: it was not.", required=False),
            s.UPDATED_AT,
            Field(
                "met_version",
                LONG,
                "Version of the target that it met and holds for; 0: none was known.",
                internal=True,
            ),
            *(replace(field, internal=True) for field in ORIGIN[:2]),
        ),
    )


TABLES = (
    commands(Ops.SHELF_COMMANDS, "shelf-alert-engine"),
    commands(Ops.WH_COMMANDS, "wh-alert-engine"),
)
