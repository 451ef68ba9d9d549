"""Asks a process for its metrics and its health again and again, whatever it does meanwhile."""

from __future__ import annotations

import http.client
import json
import threading
import urllib.error
import urllib.request
from collections.abc import Callable

from prometheus_client.parser import text_string_to_metric_families

PAUSE_S = 0.2


class Scraper:
    """Notes each answer that is not whole.

    Args:
        address: Of the process, without a page.
    """

    def __init__(self, address: str) -> None:
        self._address, self._enough = address, threading.Event()
        self._thread = threading.Thread(target=self._scrape)
        self.seen: set[tuple[str, int]] = set()
        self.faults: list[str] = []
        self.unanswered = 0

    def start(self) -> None:
        """Begin to ask."""
        self._thread.start()

    def end(self) -> None:
        """Ask no more."""
        self._enough.set()
        if self._thread.is_alive():
            self._thread.join()

    def _scrape(self) -> None:
        while not self._enough.wait(PAUSE_S):
            for page in PAGES:
                self._ask(page)

    def _ask(self, page: str) -> None:
        try:
            with urllib.request.urlopen(self._address + page, timeout=60) as answer:
                self._note(page, answer.status, answer.read().decode())
        except urllib.error.HTTPError as error:
            self._note(page, error.code, error.read().decode())
        except OSError:
            self.unanswered += 1
        except http.client.HTTPException as error:
            self.faults.append(f"{page}: {error!r}")

    def _note(self, page: str, status: int, body: str) -> None:
        """A page is read as whoever scrapes it would; what cannot be, or has another status, is a fault."""
        self.seen.add((page, status))
        try:
            whole = PAGES[page](body) and status in STATUSES[page]
        except ValueError:
            whole = False
        if not whole:
            self.faults.append(f"{page} {status}: {body[:200]}")


def is_exposition(body: str) -> bool:
    """Whether metrics stand in it, each line of which can be read.

    Raises:
        ValueError: A line cannot be read.
    """
    return bool(list(text_string_to_metric_families(body)))


PAGES: dict[str, Callable[[str], object]] = {"/metrics": is_exposition, "/health/ready": json.loads}
STATUSES = {"/metrics": (200,), "/health/ready": (200, 503)}
