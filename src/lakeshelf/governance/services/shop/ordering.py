"""Why so much is ordered for a shelf, by the function of `lakeshelf explain`."""

from __future__ import annotations

from lakeshelf import extras
from lakeshelf.forecast.demand.engine import MODULES
from lakeshelf.forecast.inference.explaining import explained
from lakeshelf.forecast.versions.errors import ModelError
from lakeshelf.governance.errors import refused
from lakeshelf.governance.services.context import Caller, Context
from lakeshelf.governance.services.reading.listing import require_reading
from lakeshelf.governance.services.shop.running import Shop, no_stack
from lakeshelf.governance.services.shop.seen import Row, refusing
from lakeshelf.shop.naming import require_known
from lakeshelf.shop.shortage import ENGINES


def order(context: Context, caller: Caller, shop: Shop, shelf: str) -> Row:
    """What is ordered for a shelf, by a model's forecast or by the rule, beside what the rule asks for, and why.

    Raises:
        GovernanceError: `forbidden`, `not_found`; `gone`: a forecast decides that is not in the lake as it was;
            `service_unavailable`: no shop runs here.
        MissingExtra: What models need is not installed.
    """
    require_reading(caller)
    engines = shop.engines() or no_stack()
    with refusing("not_found", hint="list what is low, or ask for what stands in `shelf_profiles`"):
        require_known(context.root, shelf=shelf)
    try:
        extras.require("query", *MODULES)
        return explained(context.root, engines[ENGINES["warehouse"]], shelf).as_json()
    except ModelError as error:
        raise refused("gone", error.message, hint=error.hint) from error
