"""How often somebody may call, and how often an address may fail to prove who it is."""

from __future__ import annotations

import hashlib
import math
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from starlette.types import Scope

from lakeshelf.governance.errors import GovernanceError, refused

MOST_KEYS = 10_000
"""Users or addresses that are remembered; of more, those that called least lately are forgotten."""
AT_ONCE_S = 10.0
"""For how many seconds' worth of calls somebody may call at once."""
MINUTE_S = 60.0


@dataclass(frozen=True)
class Rates:
    """What is allowed.

    Attributes:
        calls_per_s: Calls a second of one user, for long.
        failures_per_minute: Calls of one address that do not prove who makes them, for long and at once.
    """

    calls_per_s: float
    failures_per_minute: float


class Buckets:
    """For each key a bucket of tokens that fills as time goes by; what is done takes one.

    Args:
        per_s: Tokens that flow in a second.
        size: Tokens that a bucket holds.
        seconds: Monotonic clock.
    """

    def __init__(self, per_s: float, size: float, seconds: Callable[[], float]) -> None:
        self._per_s, self._size, self._seconds = per_s, size, seconds
        self._held: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait(self, key: str) -> float:
        """Seconds until there is a token; 0: there is one."""
        return max(0.0, 1 - self._level(key)) / self._per_s

    def take(self, key: str) -> float:
        """Take a token; the seconds until there is one, if there is none."""
        level = self._level(key)
        if level < 1:
            return self.wait(key)
        self._held[key] = (level - 1, self._seconds())
        self._held.move_to_end(key)
        if len(self._held) > MOST_KEYS:
            self._held.popitem(last=False)
        return 0.0

    def _level(self, key: str) -> float:
        level, at = self._held.get(key, (self._size, 0.0))
        return min(self._size, level + (self._seconds() - at) * self._per_s)


class CallLimits:
    """Limits of one process.

    Args:
        rates: What is allowed; None: anything.
        seconds: Monotonic clock.
    """

    def __init__(self, rates: Rates | None, seconds: Callable[[], float]) -> None:
        self._shown: OrderedDict[bytes, None] = OrderedDict()
        self._calls: Buckets | None = None
        self._failures: Buckets | None = None
        if rates is not None:
            at_once = max(1.0, rates.calls_per_s * AT_ONCE_S)
            self._calls = Buckets(rates.calls_per_s, at_once, seconds)
            per_s = rates.failures_per_minute / MINUTE_S
            self._failures = Buckets(per_s, rates.failures_per_minute, seconds)

    def called(self, user: str) -> None:
        """Count a call.

        Raises:
            GovernanceError: `rate_limited`.
        """
        if self._calls and (wait := self._calls.take(user)):
            raise _limited(f"{user} calls too often", wait)

    def failed(self, scope: Scope, cookie: str | None = None) -> None:
        """Count a call that did not prove who makes it; one that shows the same cookie again is no other try.

        Pages that stay open when their session has ended go on to show its cookie, and would lock their reader out.

        Args:
            scope: The call.
            cookie: Secret of the cookie that it shows; None: none.

        Raises:
            GovernanceError: `rate_limited`: there were too many of its address.
        """
        if cookie is not None and self._is_shown_again(f"{_address(scope)} {cookie}"):
            return
        if self._failures and (wait := self._failures.take(_address(scope))):
            raise _failures(scope, wait)

    def _is_shown_again(self, shown: str) -> bool:
        digest = hashlib.sha256(shown.encode()).digest()
        was_shown = digest in self._shown
        self._shown[digest] = None
        self._shown.move_to_end(digest)
        if len(self._shown) > MOST_KEYS:
            self._shown.popitem(last=False)
        return was_shown

    def require_few_failures(self, scope: Scope) -> None:
        """Refuse to look at what proves who calls, where too much of its address was wrong.

        Raises:
            GovernanceError: `rate_limited`.
        """
        if self._failures and (wait := self._failures.wait(_address(scope))):
            raise _failures(scope, wait)


def _address(scope: Scope) -> str:
    client = scope.get("client")
    return str(client[0]) if client else ""


def _failures(scope: Scope, wait: float) -> GovernanceError:
    place = _address(scope) or "this address"
    return _limited(f"too many calls from {place} did not prove who makes them", wait)


def _limited(problem: str, wait: float) -> GovernanceError:
    seconds = math.ceil(wait)
    return refused(
        "rate_limited", problem, hint=f"call again in {seconds} s", retry_after_s=seconds
    )
