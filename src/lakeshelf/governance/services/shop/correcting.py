"""Refused records, corrected and sent back to their topics.

docs/design/governance.md#shop
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lakeshelf.governance.domain.permissions import SHOP
from lakeshelf.governance.services.context import Caller, Context, record
from lakeshelf.governance.services.shop.running import Shop
from lakeshelf.governance.services.shop.seen import refusing
from lakeshelf.governance.services.shop.staff import ASKS, require_staff


def correct(
    context: Context, caller: Caller, shop: Shop, records: Sequence[Mapping[str, Any]]
) -> int:
    """Send corrected records back to the topics that they were refused on; how many.

    Raises:
        GovernanceError: `forbidden`; `request_invalid`: the quarantine does not hold one, or one would be refused
            again, and none was sent; `service_unavailable`: the stack is down.
    """
    with context.metadata.reading() as tx:
        require_staff(tx, caller, ASKS)
    with refusing("request_invalid"):
        sent = shop.correct(records)
    places = [[one["topic"], one["partition"], one["offset"]] for one in records]
    details = {"records": places}
    with context.metadata.transaction() as tx:
        record(tx, caller, "quarantine.corrected", context.clock(), project=SHOP, details=details)
    return sent
