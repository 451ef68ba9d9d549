"""How the API is served."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lakeshelf.governance.api.door.identity import Site
from lakeshelf.governance.api.door.limits import Rates
from lakeshelf.governance.services.people.identities import Provider


@dataclass(frozen=True)
class Serving:
    """How the API is served.

    Attributes:
        site: Where browsers find it.
        results: Folder for rows of statements; None: one that is removed when this process ends.
        rates: How often somebody may call; None: as often as they like.
        patience_s: Seconds for which a caller waits before a job is the answer; None: however long it takes.
        private_webhooks: Whether webhooks may lead into private networks and to this machine.
        reading: Whether nothing can be changed, since no stack runs that would obey it.
        openid: OpenID provider by which people sign in; None: none.
    """

    site: Site = Site()  # noqa: RUF009 - it is frozen
    results: Path | None = None
    rates: Rates | None = None
    patience_s: float | None = None
    private_webhooks: bool = False
    reading: bool = False
    openid: Provider | None = None
