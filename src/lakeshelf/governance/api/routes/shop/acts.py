# ruff: noqa: PLC0415 - what is heavy is imported by the call that needs it
"""What staff of the shop asks for: acknowledge, dismiss, cancel, correct a count; and what became of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

from fastapi import Query

from lakeshelf.governance.api.calling import MOST, By, In, Limit, Offset, On, router, shop_tables
from lakeshelf.governance.api.door.addresses import SHELF
from lakeshelf.governance.api.door.failures import documented
from lakeshelf.governance.api.routes.shop.shapes import (
    ActAnswer,
    ActsAnswer,
    Adjustment,
    Asked,
    Corrections,
    CorrectionsAnswer,
    Count,
    CountAnswer,
    Target,
    Word,
)

routes = router("acts", shop_tables)
State = Annotated[Literal["asked", "done", "refused"] | None, Query()]
Some = Annotated[list[Target] | None, Query(max_length=MOST)]
"""Any of these words; None: whatever there is."""


@routes.post("/acts", status_code=201)
def ask(context: On, caller: By, shop: In, body: Asked) -> list[ActAnswer]:
    """Acknowledge or dismiss alerts, or cancel plans: each is asked of its owner, or refused with the reason.

    A call that is sent again under its `X-Request-ID` asks once.
    """
    from lakeshelf.governance.services.shop import acting

    asked = acting.StaffCommand(body.command, body.targets, body.reason)
    return [ActAnswer.model_validate(one) for one in acting.ask(context, caller, shop, asked)]


@routes.post(f"{SHELF}/adjust", status_code=201)
def adjust(context: On, caller: By, shop: In, shelf: str, body: Adjustment) -> ActAnswer:
    """Correct the stock of a shelf by a difference to the books.

    A call that is sent again under its `X-Request-ID` corrects once.
    """
    from lakeshelf.governance.services.shop import acting

    asked = acting.StaffCommand(acting.ADJUST, [shelf], body.reason, body.quantity)
    (act,) = acting.ask(context, caller, shop, asked)
    return ActAnswer.model_validate(act)


@routes.post(f"{SHELF}/count", status_code=201, responses=documented("count_doubted"))
def count(context: On, caller: By, shop: In, shelf: str, body: Count) -> CountAnswer:
    """Say how many units of a lot are there; the books are adjusted by the difference, as by `lakeshelf stock count`.

    The same count counts once while the books are as they were.
    """
    from lakeshelf.governance.services.shop import counting

    counted = counting.count(context, caller, shop, counting.Count(shelf, **body.model_dump()))
    return CountAnswer.model_validate(counted)


@routes.post("/quarantine/corrections")
def correct(context: On, caller: By, shop: In, body: Corrections) -> CorrectionsAnswer:
    """Send corrected records back to the topics that they were refused on, as `lakeshelf replay-quarantine`.

    None is sent when one of them would be refused again. A record that keeps its `event_id` counts once.
    """
    from lakeshelf.governance.services.shop import correcting

    records = [one.model_dump(exclude_none=True) for one in body.records]
    return CorrectionsAnswer(sent=correcting.correct(context, caller, shop, records))


@routes.get("/acts")
def list_acts(
    context: On,
    caller: By,
    user: Word = None,
    target: Some = None,
    shelf: Target | None = None,
    command: Some = None,
    state: State = None,
    newest: bool = False,
    offset: Offset = 0,
    limit: Limit = 100,
) -> ActsAnswer:
    """What was asked for in the last 90 days, the newest first: `asked`, `done`, or `refused` with the reason.

    With `shelf`, of the shelf and of its alerts and plans, closed ones among them. With `newest`, of each target only
    the newest act of those.
    """
    from lakeshelf.governance.services.shop import acting

    criteria: Mapping[str, Sequence[str] | None] = {
        "user": [user] if user else None,
        "state": [state] if state else None,
        "target": target,
        "command": command,
    }
    among = {name: some for name, some in criteria.items() if some}
    seen = acting.listed(context, caller, among, offset, limit, shelf=shelf, is_newest=newest)
    return ActsAnswer.model_validate(seen)


@routes.get("/acts/{act}")
def get_act(context: On, caller: By, act: str) -> ActAnswer:
    """What was asked for: `asked`, `done`, or `refused` with the reason."""
    from lakeshelf.governance.services.shop import acting

    return ActAnswer.model_validate(acting.act(context, caller, act))
