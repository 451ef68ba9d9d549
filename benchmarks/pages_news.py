"""What comes to pages by itself: numbers, by streams of events, also to a page that has lost its server."""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import httpx
import psutil
from playwright.sync_api import Page, expect

from benchmarks import governed, live
from benchmarks.harness import wait_for

STREAMS = 50
SHOWN = """
(place) => {
  window.shown = [];
  const look = () => requestAnimationFrame(() => setTimeout(() => window.shown.push([place.textContent, Date.now()])));
  new MutationObserver(look).observe(place, { childList: true, characterData: true, subtree: true });
}
"""
LIVE_AGAIN = """
() => window.clock.since(performance.now(), () => window.clock.text("[data-live-age]") === "live")
"""
WAIT_S = 120.0
MILLISECONDS = 1000


def delays(page: Page, lake: Path | str, seconds: float) -> list[float]:
    """Milliseconds from each commit of the state of shelves to the frame in which `/pipeline` shows it."""
    page.goto("/pipeline")
    expect(page.locator("[data-awaited]")).to_have_count(0)  # until then it comes again by itself
    cell = page.locator(f'[data-table="{live.STATE_TABLE}"] [data-figure=version]')
    cell.evaluate(SHOWN)
    page.wait_for_timeout(seconds * MILLISECONDS)
    shown = [
        (int("".join(filter(str.isdigit, words))), at)
        for words, at in page.evaluate("() => window.shown")
    ]
    return [
        at - MILLISECONDS * live.commit_time(lake, version)
        for (before, _), (last, at) in itertools.pairwise(shown)
        for version in range(before + 1, last + 1)
    ]


def healed(page: Page, server: psutil.Process, start: Callable[[], object]) -> float:
    """Seconds until a page is live again whose server was killed, from when that one answers which was started then.

    Args:
        page: Where.
        server: What is killed.
        start: Starts another, and returns once it answers.
    """
    age = page.locator("[data-live-age]").first
    page.goto("/")
    expect(age).to_have_text("live")
    server.kill()
    expect(age).to_contain_text("no news since")
    start()
    return float(page.evaluate(LIVE_AGAIN)) / MILLISECONDS


def streams(address: str, token: str, pid: int, seconds: float) -> dict[str, float]:
    """Cores of the API while many listen, and the most snapshots that one of them missed between two that came."""
    taken: list[list[int]] = [[] for _ in range(STREAMS)]
    ready, stopped = threading.Barrier(STREAMS + 1), threading.Event()

    def listen(place: int) -> None:
        with httpx.stream("GET", f"{address}/api/v1/events", params={"topics": "live"},
                          headers={"Authorization": f"Bearer {token}"}, timeout=WAIT_S) as answer:  # fmt: skip
            answer.raise_for_status()
            numbers = _numbers(answer.iter_lines())
            next(numbers)
            ready.wait(WAIT_S)
            for number in numbers:
                taken[place].append(number)
                if stopped.is_set():
                    return

    threads = [threading.Thread(target=listen, args=(n,), daemon=True) for n in range(STREAMS)]
    for thread in threads:
        thread.start()
    ready.wait(WAIT_S)
    process = psutil.Process(pid)
    before, began = governed.spent(process), time.monotonic()
    time.sleep(seconds)
    cores = (governed.spent(process) - before) / (time.monotonic() - began)
    stopped.set()
    wait_for("streams to end", lambda: not any(one.is_alive() for one in threads), WAIT_S)
    return {"streams_cores": cores, "streams_lost": float(max(map(missed, taken)))}


def missed(numbers: Sequence[int]) -> int:
    """How many numbers lack between the first and the last of some that came, each one higher than that before."""
    if not numbers:
        raise RuntimeError("a stream brought nothing")
    return numbers[-1] - numbers[0] + 1 - len(numbers)


def _numbers(lines: Iterable[str]) -> Iterator[int]:
    """The places of snapshots in the order of their process: what stands behind the dot of their ids."""
    is_snapshot = False
    for line in lines:
        if line.startswith("data: ") and is_snapshot:
            yield int(json.loads(line.removeprefix("data: "))["id"].rpartition(".")[2])
        is_snapshot = line == "event: numbers" or (is_snapshot and bool(line))
