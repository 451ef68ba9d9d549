"""Pages: what people wait for in Chromium, in front of a dataset of many rows, over HTTP."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import numpy as np
import psutil
from playwright.sync_api import Browser, Page

from benchmarks import governed
from benchmarks.governed import AUTHOR, DATASET, PROJECT, GovernedPlace, place
from benchmarks.harness import (
    Benchmark,
    Figure,
    Parameters,
    Run,
    main,
    percentile,
    rounded,
    spread,
    wait_for,
)
from benchmarks.serving import served
from lakeshelf.ui import files
from lakeshelf.ui.pages import PAGES
from tests.ui.browser import running, signed_in

CLOCK = """
window.clock = {
  async until(done) {
    while (!done()) await new Promise(requestAnimationFrame);
    await new Promise(requestAnimationFrame);
    return performance.now();
  },
  async after(kind, done) {
    const once = { capture: true, once: true };
    const began = await new Promise((resolve) => addEventListener(kind, () => resolve(performance.now()), once));
    return await window.clock.until(done) - began;
  },
  text: (place) => document.querySelector(place)?.textContent ?? "",
};
"""
"""Waits frame by frame, and counts the one in which something is painted."""
FRAMES = """
(seconds) => new Promise((resolve) => {
  const taken = [], began = performance.now();
  let last = began;
  const look = (now) => {
    taken.push(now - last);
    last = now;
    now - began > 1000 * seconds ? resolve(taken.slice(1)) : requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
})
"""
KEYS = """
() => {
  window.keys = [];
  addEventListener("keydown", () => {
    const began = performance.now();
    requestAnimationFrame(() => setTimeout(() => window.keys.push(performance.now() - began)));
  }, { capture: true });
}
"""
PASTE = """
(text) => {
  const clipboardData = new DataTransfer();
  clipboardData.setData("text/plain", text);
  document.querySelector("[role=grid]").dispatchEvent(
    new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true }));
}
"""
FIRST_CELL = ".grid-line [role=gridcell]"
PAGE_PATH = f"/data/{PROJECT}/{DATASET}"
NAMES = {"project": PROJECT, "dataset": DATASET}
PASTED_COLUMNS = 3
WRONG_EVERY = 100
"""Of the rows that are pasted, each of so many has a quantity that a rule refuses."""
REFUSED = 10**9
CELLS_OF_DIFF = 10_000
STREAMS = 50
WAIT_S = 120.0
MILLISECONDS = 1000
BYTES = 1000
"""Of a kilobyte."""


def figures(parameters: Parameters) -> list[Figure]:
    """First paint and weight, the grid, a large diff, streams."""
    rows = f"{parameters['rows']:,} rows"
    pasted = f"{parameters['pasted'] * PASTED_COLUMNS:,} cells"
    return [
        Figure("paint_p95", "first paint of a page, p95", "ms", 500),
        Figure("heaviest_kb", "heaviest page with styles and scripts, compressed", "KB", 120),
        Figure("grid_kb", "scripts of the grid to show it and edit cells, compressed", "KB", 15),
        Figure("rows_ms", f"first rows of {rows}", "ms", 700),
        Figure("jump_ms", f"jump to the middle of {rows}", "ms", 300),
        Figure("sort_ms", f"{rows} in an order nobody asked for yet: first rows", "ms", 5_000),
        Figure("frame_p95", f"frame while {rows} are scrolled, p95", "ms", 33),
        Figure("key_p95", "key → painted cell, p95", "ms", 50),
        Figure("paste_s", f"{pasted} pasted, judged and told of", "s", 3),
        Figure("diff_ms", f"first page of the diff of {CELLS_OF_DIFF:,} cells", "ms", 500),
        Figure("streams_cores", f"{STREAMS} open streams: API", "cores", 0.1),
        Figure("streams_lost", f"{STREAMS} open streams: snapshots that came to fewer than all", "", 0),
    ]  # fmt: skip


def run(parameters: Parameters, seed: int, folder: Path, say: Callable[[str], None]) -> Run:
    """One dataset, one API as `lakeshelf up` runs it, one browser."""
    with place(folder / "bench") as (lake, _):
        lake.fill(parameters["rows"], seed)
        number = _change_request(lake, min(CELLS_OF_DIFF, parameters["rows"]))
        with served(lake) as (address, api), running() as browser:
            token = lake.token(AUTHOR.user)
            with _page(browser, address, token) as page:
                paints, weights = _visits(page, parameters["visits"])
                painted = [ms for taken in paints.values() for ms in taken]
                say(f"paint p95 {percentile(painted, 95):.0f} ms")
                grid, frames = _grid(page, parameters)
                say(f"rows after {grid['rows_ms']:.0f} ms, frame p95 {grid['frame_p95']:.0f} ms")
                grid["diff_ms"] = _shown(
                    page,
                    f"/reviews/{PROJECT}/{number}",
                    "document.querySelector('[aria-labelledby=diff] tbody tr')",
                )
            streams = _streams(address, token, api.pid, parameters["stream_seconds"])
    measured = {
        "paint_p95": percentile(painted, 95),
        "heaviest_kb": max(weights.values()) / BYTES,
    }
    by_page = {path: spread(taken) for path, taken in paints.items()}
    detail = {"paints_ms": by_page, "frames_ms": spread(frames), "bytes": weights}
    return {"figures": rounded(measured | grid | streams), **detail}


def _change_request(lake: GovernedPlace, cells: int) -> int:
    with lake.opened() as context:
        return governed.proposed(context, np.arange(cells), "quantity", 7).number


@contextmanager
def _page(browser: Browser, address: str, token: str) -> Iterator[Page]:
    with signed_in(browser, address, token) as page:
        page.add_init_script(CLOCK)
        yield page


def _visits(page: Page, visits: int) -> tuple[dict[str, list[float]], dict[str, float]]:
    """First paints in ms, and bytes, of all pages that need no shop."""
    paths = [one.path for one in PAGES if _names(one.path) <= NAMES.keys()]
    paints: dict[str, list[float]] = {path: [] for path in paths}
    weights: dict[str, float] = {}
    sent: set[str] = set()
    page.on("response", lambda answer: sent.add(urlsplit(answer.url).path))
    for path in paths * visits:
        sent.clear()
        opened = page.goto(path.replace(":path", "").format_map(NAMES), wait_until="load")
        paints[path].append(
            page.evaluate(
                "() => window.clock.until(() => performance.getEntriesByName('first-contentful-paint').length)"
                ".then(() => performance.getEntriesByName('first-contentful-paint')[0].startTime)"
            )
        )
        static = {one.split("/", 3)[-1] for one in sent if "/static/" in one}
        body = len(opened.body()) if opened else 0
        weights[path] = body + sum(len(files.assets().packed[name]) for name in static)
    return paints, weights


def _names(path: str) -> set[str]:
    return {part.strip("{}").partition(":")[0] for part in path.split("/") if "{" in part}


def _loaded(page: Page, prefix: str) -> int:
    """Bytes, compressed, of the scripts below a folder that a page has loaded so far."""
    entries = "() => performance.getEntriesByType('resource').map((one) => one.name)"
    addresses = page.evaluate(entries)
    names = {urlsplit(one).path.split("/", 3)[-1] for one in addresses if "/static/" in one}
    scripts = [one for one in names if one.startswith(prefix) and one.endswith(".js")]
    return sum(len(files.assets().packed[name]) for name in scripts)


def _shown(page: Page, address: str, condition: str) -> float:
    """Milliseconds from the call of a page until a condition holds on it."""
    page.goto(address, wait_until="commit")
    return float(page.evaluate(f"() => window.clock.until(() => {condition})"))


def _grid(page: Page, parameters: Parameters) -> tuple[dict[str, float], list[float]]:
    rows = parameters["rows"]
    cell = f"window.clock.text('{FIRST_CELL}')"
    last = f"document.querySelector('[aria-rowindex=\"2\"]')?.textContent.includes('L{rows - 1}')"
    taken = {
        "sort_ms": _shown(page, f"{PAGE_PATH}?sort=-code", last),
        "rows_ms": _shown(page, PAGE_PATH, cell),
    }
    frames = _scrolled(page, parameters["scroll_seconds"])
    taken["jump_ms"] = _jump(page, rows // 2)
    taken["frame_p95"] = percentile(frames, 95)
    taken["key_p95"] = percentile(_typed(page, parameters["keys"]), 95)
    taken["grid_kb"] = _loaded(page, "grid/") / BYTES
    taken["paste_s"] = _pasted(page, parameters["pasted"])
    return taken, frames


def _scrolled(page: Page, seconds: float) -> list[float]:
    page.locator(FIRST_CELL).first.hover()
    page.evaluate(f"() => {{ window.frames_ = ({FRAMES})({seconds}); }}")
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        page.mouse.wheel(0, 100)
    return list(page.evaluate("() => window.frames_"))


def _jump(page: Page, row: int) -> float:
    page.locator(FIRST_CELL).first.click()
    page.keyboard.press("Control+g")
    page.keyboard.type(str(row))
    shown = f"window.clock.text('[aria-rowindex=\"{row + 1}\"] [role=gridcell]')"
    page.evaluate(f"() => {{ window.jumped = window.clock.after('keydown', () => {shown}); }}")
    page.keyboard.press("Enter")
    return float(page.evaluate("() => window.jumped"))


def _typed(page: Page, keys: int) -> list[float]:
    page.evaluate(KEYS)
    page.locator("[role=row] [role=gridcell][aria-colindex='3']").first.click()
    for number in range(keys):
        page.keyboard.press(str(number % 10))
    page.keyboard.press("Escape")
    page.wait_for_timeout(100)
    return [float(one) for one in page.evaluate("() => window.keys")]


def _pasted(page: Page, rows: int) -> float:
    """Seconds from the word to go on until all cells are saved and the findings are counted."""
    page.goto(PAGE_PATH)
    page.locator("[aria-rowindex='2'] [aria-colindex='4']").click()
    lines = (f"{REFUSED if n % WRONG_EVERY == 0 else 7}\t1.50\t{n}" for n in range(rows))
    page.evaluate(PASTE, "\n".join(lines) + "\n")
    done = "window.clock.text('.grid-state') === 'saved' && document.querySelector('[aria-invalid=true]')"
    if rows * PASTED_COLUMNS <= CELLS_OF_DIFF:  # nobody is asked whether to go on
        began = time.perf_counter()
        page.evaluate(f"() => window.clock.until(() => {done})")
        return time.perf_counter() - began
    page.evaluate(f"() => {{ window.pasted = window.clock.after('click', () => {done}); }}")
    page.get_by_role("button", name="Go on").click()
    return float(page.evaluate("() => window.pasted")) / MILLISECONDS


def _streams(address: str, token: str, pid: int, seconds: float) -> dict[str, float]:
    """Cores of the API while many listen, and how many snapshots the one with the fewest lacks."""
    counts = [0] * STREAMS
    ready, stopped = threading.Barrier(STREAMS + 1), threading.Event()

    def listen(place: int) -> None:
        with httpx.stream("GET", f"{address}/api/v1/events", params={"topics": "live"},
                          headers={"Authorization": f"Bearer {token}"}, timeout=WAIT_S) as answer:  # fmt: skip
            answer.raise_for_status()
            lines = answer.iter_lines()
            next(line for line in lines if line.startswith("event: numbers"))
            ready.wait(WAIT_S)
            for line in lines:
                if stopped.is_set():
                    return
                counts[place] += line.startswith("event: numbers")

    threads = [threading.Thread(target=listen, args=(n,), daemon=True) for n in range(STREAMS)]
    for thread in threads:
        thread.start()
    ready.wait(WAIT_S)
    process = psutil.Process(pid)
    before, began = governed.spent(process), time.monotonic()
    time.sleep(seconds)
    cores = (governed.spent(process) - before) / (time.monotonic() - began)
    fewest, most = min(counts), max(counts)
    stopped.set()
    wait_for("streams to end", lambda: not any(one.is_alive() for one in threads), WAIT_S)
    return {"streams_cores": cores, "streams_lost": float(max(0, most - fewest - 1))}


BENCHMARK = Benchmark(
    name="pages",
    title="Pages: what people wait for in Chromium",
    defaults={
        "rows": 1_000_000,
        "visits": 5,
        "scroll_seconds": 5.0,
        "keys": 60,
        "pasted": 10_000,
        "stream_seconds": 20.0,
    },
    quick={
        "rows": 2_000,
        "visits": 1,
        "scroll_seconds": 1.0,
        "keys": 10,
        "pasted": 500,
        "stream_seconds": 3.0,
    },
    figures=figures,
    run=run,
)

if __name__ == "__main__":
    sys.exit(main(BENCHMARK))
