"""What staff of the shop asks for, as the commands do: a message to its owner, remembered with what became of it.

docs/design/governance.md#shop
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson

from lakeshelf.errors import ConfigurationError
from lakeshelf.governance.domain.permissions import SHOP
from lakeshelf.governance.metadata.tables.acts import Act
from lakeshelf.governance.metadata.work import ASKED, REFUSED
from lakeshelf.governance.services.context import Caller, Context, record
from lakeshelf.governance.services.shop.running import Message, Shop
from lakeshelf.governance.services.shop.seen import refusing
from lakeshelf.governance.services.shop.staff import ASKS, SEES, require_staff
from lakeshelf.shop import acts, lists
from lakeshelf.shop.outcomes import outcomes

ADJUST = "adjust"
LOOKED_AT = 1_000
"""Acts that are open of which it is looked what became of them; of more, the newest."""
SLACK = timedelta(minutes=5)
"""How far the clocks of this machine and of the broker may be apart."""


@dataclass(frozen=True)
class StaffCommand:
    """What is asked for.

    Attributes:
        command: `ack` or `dismiss` alerts, `cancel` plans, `adjust` or `count` a shelf.
        targets: Ids of alerts or plans; the shelf.
        reason: Why; empty: it is not said.
        quantity: Units that a shelf has more, or less, than the books say.
    """

    command: str
    targets: Sequence[str]
    reason: str = ""
    quantity: int | None = None


@dataclass(frozen=True)
class ActPage:
    """Acts of a page, and how many there are in all."""

    acts: Sequence[Act]
    total: int


def ask(context: Context, caller: Caller, shop: Shop, asked: StaffCommand) -> list[Act]:
    """Ask the owners of alerts, plans or a shelf for something; each target is asked once by one call.

    It is written down before it is sent, so a call that is sent again after a crash sends the same messages again,
    which their owners take once. What is closed or unknown is refused at once, and the others are asked.

    Raises:
        GovernanceError: `forbidden`; `not_found`: there is no such shelf; `request_invalid`: a value that cannot be;
            `service_unavailable`: the stack is down, and nobody knows of it.
    """
    earlier = before(context, caller, asked.command)
    known = {act.target for act in earlier}
    new = [target for target in dict.fromkeys(asked.targets) if target not in known]
    made = _made(context, caller, shop, asked, new) if new else []
    return delivered(context, caller, shop, asked, [*earlier, *made])


def before(context: Context, caller: Caller, command: str) -> list[Act]:
    """What the same call has asked for already.

    Raises:
        GovernanceError: `forbidden`.
    """
    with context.metadata.reading() as tx:
        require_staff(tx, caller, ASKS)
        return tx.acts.of_call(caller.user, caller.request_id, command)


def delivered(
    context: Context, caller: Caller, shop: Shop, asked: StaffCommand, made: Sequence[Act]
) -> list[Act]:
    """Write acts down, then send what is not sent yet; each target's act, in the order of the targets.

    Raises:
        GovernanceError: `service_unavailable`: the broker does not answer.
    """
    known = {one.target: one for one in _written(context, caller, asked, made)}
    _send(context, shop, [one for one in known.values() if one.message and not one.sent_at])
    with context.metadata.reading() as tx:
        return [tx.acts.get(known[target].id) for target in dict.fromkeys(asked.targets)]


def listed(
    context: Context,
    caller: Caller,
    among: Mapping[str, Sequence[str]],
    offset: int,
    limit: int,
    *,
    shelf: str | None = None,
    is_newest: bool = False,
) -> ActPage:
    """What was asked for, the newest first, with what became of it.

    Args:
        context: What services stand on.
        caller: Who asks.
        among: Field of an act → values that it may have.
        offset: Acts that are passed over.
        limit: Most acts.
        shelf: Only of this shelf, and of alerts and plans of it, closed ones among them; None: of any.
        is_newest: Of each target, the newest of them alone.

    Raises:
        GovernanceError: `forbidden`.
    """
    _require_seeing(context, caller)
    settle(context)
    if shelf is not None:
        among = {**among, "target": _of_shelf(context, shelf, among.get("target"))}
    with context.metadata.reading() as tx:
        return ActPage(*tx.acts.all(among, offset, limit, is_newest=is_newest))


def _of_shelf(context: Context, shelf: str, among: Sequence[str] | None) -> list[str]:
    """What acts of a shelf are about, as far as it is among some; None: all of it."""
    known = [shelf, *lists.ids_of_shelf(context.root, shelf)]
    return known if among is None else [one for one in known if one in set(among)]


def act(context: Context, caller: Caller, act_id: str) -> Act:
    """What was asked for, with what became of it.

    Raises:
        GovernanceError: `forbidden`, `not_found`.
    """
    _require_seeing(context, caller)
    settle(context)
    with context.metadata.reading() as tx:
        return tx.acts.get(act_id)


def settle(context: Context) -> int:
    """Look what became of acts that are open, and remember it; of how many it is known now."""
    with context.metadata.reading() as tx:
        open_, _ = tx.acts.all({"state": [ASKED]}, limit=LOOKED_AT)
    if not open_:
        return 0
    messages = [(str(one.topic), one.message or {}) for one in open_]
    since = min(one.asked_at for one in open_) - SLACK
    became = outcomes(context.root, messages, since)
    if became:
        now = context.clock()
        with context.metadata.transaction() as tx:
            for act_id, refusal in became.items():
                tx.acts.settle(act_id, refusal, now)
    return len(became)


def _require_seeing(context: Context, caller: Caller) -> None:
    with context.metadata.reading() as tx:
        require_staff(tx, caller, SEES)


def _made(
    context: Context, caller: Caller, shop: Shop, asked: StaffCommand, targets: Sequence[str]
) -> list[Act]:
    """Acts for targets, with the messages that are to be sent; those of what is closed or unknown are refused."""
    if asked.command == ADJUST:
        (shelf,) = targets
        with refusing("not_found", hint="take a shelf that has stock"):
            row = acts.stock_of(context.root, shelf)
        quantity, reason = int(asked.quantity or 0), asked.reason or None
        message = acts.adjusted(row, quantity, caller.user, reason, shop.now(), context.new_id())
        return [act_of(context, caller, asked, shelf, message)]
    known = acts.targets(context.root, asked.command, targets)
    is_open = any(not isinstance(row, ConfigurationError) for row in known.values())
    now = shop.now() if is_open else context.clock()
    return [_commanded(context, caller, asked, one, known[one], now) for one in targets]


def _commanded(
    context: Context,
    caller: Caller,
    asked: StaffCommand,
    target: str,
    row: dict[str, Any] | ConfigurationError,
    now: datetime,
) -> Act:
    if isinstance(row, ConfigurationError):
        return act_of(context, caller, asked, target, refusal=row.message)
    place = (row, asked.command, target, caller.user, asked.reason or None)
    return act_of(context, caller, asked, target, acts.commanded(*place, now, context.new_id()))


def act_of(
    context: Context,
    caller: Caller,
    asked: StaffCommand,
    target: str,
    message: Message | None = None,
    refusal: str | None = None,
) -> Act:
    """An act for a target, with its message, or refused at once.

    Raises:
        GovernanceError: `request_invalid`: the contract refuses the message.
    """
    now, topic, values = context.clock(), None, None
    if message is not None:
        topic = message[0]
        with refusing("request_invalid", hint="correct the value"):
            values = orjson.loads(acts.encoded(*message))
    return Act(
        id=str(values["event_id"]) if values else context.new_id(),
        user=caller.user,
        request_id=caller.request_id,
        command=asked.command,
        target=target,
        reason=asked.reason,
        topic=topic,
        message=values,
        state=ASKED if refusal is None else REFUSED,
        refusal=refusal,
        asked_at=now,
        settled_at=None if refusal is None else now,
    )


def _written(
    context: Context, caller: Caller, asked: StaffCommand, made: Sequence[Act]
) -> list[Act]:
    """Write down what is asked for, before it is; what this call, or the same message, has asked for stays as it is."""
    if not made:
        return []
    with context.metadata.transaction() as tx:
        call = tx.acts.of_call(caller.user, caller.request_id, asked.command)
        earlier = {one.target: one for one in (*tx.acts.of_messages(one.id for one in made), *call)}
        new = [tx.acts.add(one) for one in made if one.target not in earlier]
        if new:
            details = _details(asked, new)
            record(tx, caller, "act.asked", context.clock(), project=SHOP, details=details)
    return [earlier.get(one.target, one) for one in made]


def _details(asked: StaffCommand, acts_: Sequence[Act]) -> dict[str, Any]:
    details: dict[str, Any] = {
        "command": asked.command,
        "targets": [one.target for one in acts_],
        "refused": [one.target for one in acts_ if one.state == REFUSED],
        "reason": asked.reason,
    }
    return details if asked.quantity is None else {**details, "quantity": asked.quantity}


def _send(context: Context, shop: Shop, unsent: Sequence[Act]) -> None:
    if not unsent:
        return
    shop.send([(str(one.topic), one.message or {}) for one in unsent])
    with context.metadata.transaction() as tx:
        tx.acts.sent(unsent, context.clock())
