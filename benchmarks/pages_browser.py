"""What somebody in front of Chromium waits for: pages, and a grid of many rows."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, Page
from playwright.sync_api import TimeoutError as NotInTime

from benchmarks.harness import Parameters, percentile
from lakeshelf.ui import files
from lakeshelf.ui.pages import PAGES
from tests.ui.browser import signed_in

CLOCK = """
const longest = LONGEST_MS;
window.clock = {
  async until(done) {
    const end = performance.now() + longest;
    while (!done()) {
      if (performance.now() > end) return NaN;
      await new Promise(requestAnimationFrame);
    }
    await new Promise(requestAnimationFrame);
    return performance.now();
  },
  async since(began, done) {
    return await window.clock.until(done) - began;
  },
  async after(kind, done) {
    const once = { capture: true, once: true };
    const began = await new Promise((resolve) => addEventListener(kind, () => resolve(performance.now()), once));
    return window.clock.since(began, done);
  },
  text: (place) => document.querySelector(place)?.textContent ?? "",
};
"""
"""Waits frame by frame, and counts the one in which something is painted; what takes two minutes has no number."""
PAINTED = """
async () => {
  const paints = () => performance.getEntriesByName("first-contentful-paint");
  await window.clock.until(() => paints().length);
  return paints()[0].startTime;
}
"""
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
SOMETHING = re.compile(r"\S")
LONGEST_MS = 120_000
PASTED_COLUMNS = 3
WRONG_EVERY = 100
"""Of the rows that are pasted, each of so many has a quantity that a rule refuses."""
REFUSED = 10**9
UNASKED_CELLS = 10_000
"""Whether to go on is asked where more are pasted."""
MILLISECONDS = 1000


@contextmanager
def page_of(browser: Browser, address: str, token: str) -> Iterator[Page]:
    """A page of somebody who is signed in, with a clock in it."""
    with signed_in(browser, address, token) as page:
        page.context.add_init_script(CLOCK.replace("LONGEST_MS", str(LONGEST_MS)))
        yield page


def visits(
    page: Page, names: Mapping[str, object], times: int
) -> tuple[dict[str, list[float]], dict[str, int]]:
    """Call all pages whose address takes these names, or none, again and again.

    Returns:
        Milliseconds until something is painted first, and bytes of a page with its styles and scripts as they are
        sent; both by the page.
    """
    paths = [one.path for one in PAGES if _names(one.path) <= names.keys()]
    paints: dict[str, list[float]] = {path: [] for path in paths}
    weights: dict[str, int] = {}
    for path in paths * times:
        ms, weights[path] = _visit(page.context, path.replace(":path", "").format_map(names))
        paints[path].append(ms)
    return paints, weights


def _visit(context: BrowserContext, address: str) -> tuple[float, int]:
    """First paint and bytes of a page in a tab of its own: it may come again by itself, once it has all."""
    sent: set[str] = set()
    with context.new_page() as tab:
        tab.on("response", lambda answer: sent.add(answer.url))
        opened = tab.goto(address, wait_until="commit")
        size = opened.request.sizes()["responseBodySize"] if opened else 0
        painted = float(tab.evaluate(PAINTED))
        tab.wait_for_load_state()
    return painted, size + _weight(_static(sent))


def shown(page: Page, address: str, place: str) -> float:
    """Milliseconds from the call of a page until something stands at a place of it, even if it comes again for that."""
    began = time.perf_counter()
    page.goto(address, wait_until="commit")
    try:
        page.locator(place).filter(has_text=SOMETHING).first.wait_for(timeout=LONGEST_MS)
    except NotInTime:
        return math.nan
    return MILLISECONDS * (time.perf_counter() - began)


def grid(page: Page, place: str, rows: int, order: str, parameters: Parameters) -> dict[str, float]:
    """What is waited for in a grid.

    Args:
        page: Where.
        place: Address of the dataset.
        rows: Its rows.
        order: A column in whose order nobody asked for it yet.
        parameters: How long it is scrolled, how many keys are pressed, how many rows are pasted.
    """
    return {
        "sort_ms": shown(page, f"{place}?sort=-{order}", FIRST_CELL),
        "rows_ms": shown(page, place, FIRST_CELL),
        "frame_p95": percentile(_scrolled(page, parameters["scroll_seconds"]), 95),
        "jump_ms": _jump(page, rows // 2),
        "key_p95": percentile(_typed(page, parameters["keys"]), 95),
        "paste_s": _pasted(page, place, parameters["pasted"]),
    }


def weight_of_grid(page: Page, place: str) -> int:
    """Bytes, compressed, of the scripts that a grid has loaded when a cell is edited."""
    shown(page, place, FIRST_CELL)
    _typed(page, 1)
    entries = "() => performance.getEntriesByType('resource').map((one) => one.name)"
    names = _static(page.evaluate(entries))
    return _weight({one for one in names if one.startswith("grid/") and one.endswith(".js")})


def _names(path: str) -> set[str]:
    return {part.strip("{}").partition(":")[0] for part in path.split("/") if "{" in part}


def _static(addresses: Iterable[str]) -> set[str]:
    """Names of the styles and scripts among addresses."""
    paths = (urlsplit(one).path for one in addresses)
    return {path.split("/", 3)[-1] for path in paths if "/static/" in path}


def _weight(names: set[str]) -> int:
    return sum(len(files.assets().packed[name]) for name in names)


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
    cell = f"window.clock.text('[aria-rowindex=\"{row + 1}\"] [role=gridcell]')"
    page.evaluate(f"() => {{ window.jumped = window.clock.after('keydown', () => {cell}); }}")
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


def _pasted(page: Page, place: str, rows: int) -> float:
    """Seconds from the word to go on until all cells are saved and the findings are counted."""
    page.goto(place)
    page.locator("[aria-rowindex='2'] [aria-colindex='4']").click()
    lines = (f"{REFUSED if n % WRONG_EVERY == 0 else 7}\t1.50\t{n}" for n in range(rows))
    done = "window.clock.text('.grid-state') === 'saved' && document.querySelector('[aria-invalid=true]')"
    is_asked = rows * PASTED_COLUMNS > UNASKED_CELLS
    began = (
        f"window.clock.after('click', () => {done})"
        if is_asked
        else f"window.clock.since(performance.now(), () => {done})"
    )
    page.evaluate(f"() => {{ window.pasted = {began}; }}")
    page.evaluate(PASTE, "\n".join(lines) + "\n")
    if is_asked:
        page.get_by_role("button", name="Go on").click()
    return float(page.evaluate("() => window.pasted")) / MILLISECONDS
