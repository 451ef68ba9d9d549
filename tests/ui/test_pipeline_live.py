"""The pipeline's page moves by the one stream, and a tab that nobody sees holds none where tabs cannot share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from playwright.sync_api import Browser, Locator, Page, expect

from lakeshelf.contracts.layers import Ops, Raw
from lakeshelf.governance.api.app import application
from lakeshelf.governance.services.context import Context
from lakeshelf.streams.commit.ledger import LEDGER, Counts, LedgerEntry
from lakeshelf.ui import serving
from tests.cli.shop.told_shop import ALERT, OPENED, write
from tests.governance.api.floor import answering, shop, shop_template
from tests.governance.api.people import issue
from tests.ui.browser import signed_in

__all__ = ["shop_template"]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]
QUERY, TABLE = "shelf-aggregator", "cleansed/shelf_state"
HOSTILE = "query <b>x</b> fails; `lakeshelf status`"
WITHOUT_LOCKS = """
Object.defineProperty(navigator, "locks", { value: undefined });
const streams = [];
window.EventSource = class extends EventSource {
  constructor(...given) { super(...given); streams.push(this); }
};
window.open_streams = () => streams.filter((one) => one.readyState !== 2).length;
window.see = (hidden) => {
  Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
};
"""


@dataclass
class Stack:
    """A stack whose numbers the test decides; it is also what takes them."""

    status: Mapping[str, Any]
    query: dict[str, Any] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    version: int = 1
    rows: int = 3

    def told(self) -> dict[str, Any]:
        queries = [
            one | self.query if one["query"] == QUERY else one for one in self.status["queries"]
        ]
        return {**self.status, "queries": queries, "problems": self.problems}

    def look(self) -> dict[str, Any]:
        queries = [{"query": QUERY, "state": "running", "error": "", "restarts": 0, **self.query}]
        freshness = {"rows": self.rows, "age_s": 0.4}
        tables = [
            {"table": name, "version": self.version, **freshness}
            for name in (TABLE, LEDGER, Raw.QUARANTINE, Ops.ALERTS)
        ]
        state = {"state": "running", "parts": {}, "problems": self.problems, "quarantine": 3}
        return {**state, "queries": queries, "tables": tables, "clock": None}

    def close(self) -> None:
        """Nothing is held."""


@pytest.fixture
def stack(context: Context, shop_template: Path) -> Stack:
    return Stack(shop(context, shop_template).status())


@pytest.fixture
def app(context: Context, shop_template: Path, stack: Stack) -> FastAPI:
    beside = answering(shop(context, shop_template))
    made = application(context, replace(beside, numbers=lambda: stack, status=stack.told))
    serving.install(made)
    return made


@pytest.fixture
def page(browser: Browser, context: Context, address: str) -> Iterator[Page]:
    with signed_in(browser, address, issue(context, "ann", "pipeline")) as shown:
        yield shown


def figure(page: Page, name: str, kind: str = "query", of: str = QUERY) -> Locator:
    return page.locator(f'[data-{kind}="{of}"] [data-figure={name}]')


def test_figures_and_problems_move_and_what_is_not_known_is_a_dash(
    page: Page, stack: Stack
) -> None:
    stack.query = {"batch_id": 811, "lag": 7, "lag_s": None}
    page.goto("/pipeline")
    state = page.locator(f'[data-query="{QUERY}"] .state')
    expect(figure(page, "lag")).to_have_text("7")
    expect(figure(page, "lag_s")).to_have_text("\N{EN DASH}")
    expect(state).to_have_text("✓ running")
    expect(page.get_by_role("heading", name="No problems")).to_be_visible()
    expect(page.locator("[data-live-age]")).to_have_text("live")

    stack.query = {
        "batch_id": 812,
        "lag": 12_345,
        "lag_s": 61.5,
        "state": "failed",
        "error": HOSTILE,
    }
    stack.problems, stack.version, stack.rows = [HOSTILE], 2, 1_400
    expect(figure(page, "batch_id")).to_have_text("812")
    expect(figure(page, "lag")).to_have_text("12\u2009345")
    expect(figure(page, "lag_s")).to_have_text("61.5")
    expect(figure(page, "version", "table", TABLE)).to_have_text("2")
    expect(figure(page, "rows", "table", TABLE)).to_have_text("1\u2009400")
    expect(state).to_have_text("✕ failed")
    expect(page.get_by_role("heading", name="1 problem")).to_be_visible()
    problem = page.locator(".problems li")
    expect(problem).to_contain_text("query <b>x</b> fails; lakeshelf status")
    expect(problem).to_contain_text("QueryDown of docs/runbooks.md")
    live = problem.inner_text()
    page.reload()
    expect(problem).to_have_text(live, use_inner_text=True)  # the server says the same
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    problem.get_by_role("button", name="Copy lakeshelf logs streams").click()
    expect(problem.get_by_role("button")).to_have_text("Copied")
    copied = page.evaluate("() => navigator.clipboard.readText()")
    assert copied == "lakeshelf logs streams --level warning"

    stack.query, stack.problems = {}, []
    expect(page.get_by_role("heading", name="No problems")).to_be_visible()
    expect(state).to_have_text("✓ running")


def entry(batch: int) -> dict[str, Any]:
    """A batch as the ledger has it."""
    wrote = {"raw/shelf_events": batch}
    counts = {"shelf_events": Counts(2, 2)}
    entry_ = LedgerEntry(
        "q",
        batch,
        QUERY,
        "batch",
        {"shelf_events": {"0": [0, 2]}},
        counts,
        wrote,
        7,
        "driver",
        OPENED,
    )
    return dict(entry_.row().to_pylist()[0])


def test_batches_and_refused_records_come_by_themselves_but_not_under_the_hands_of_a_reader(
    page: Page, stack: Stack, context: Context
) -> None:
    root = context.root.folder
    assert root is not None
    page.goto("/pipeline")
    batches = page.locator("#list-batches")
    before = batches.locator("tbody tr").count()
    expect(page.locator("#list-records .records > li")).to_have_count(0)

    held = {"topic": "shelf_events", "partition": 0, "kafka_timestamp": OPENED, "key": b"k"}
    told = {"reason": "not_json", "detail": HOSTILE, "ingested_at": OPENED}
    write(root, LEDGER, entry(901))
    write(root, Raw.QUARANTINE, {**held, **told, "offset": 5, "value": HOSTILE.encode()})
    stack.version = 2
    expect(batches.locator("tbody tr")).to_have_count(before + 1)
    expect(batches.get_by_role("row").filter(has_text="901")).to_contain_text("raw/shelf_events")
    record = page.locator("#list-records .records > li")
    expect(record).to_contain_text(HOSTILE)
    page.get_by_text("Open batch 901").click()

    write(root, LEDGER, entry(902))
    stack.version = 3
    expect(batches.locator("[data-newer]")).to_be_visible()
    assert batches.locator("tbody tr").count() == before + 1
    page.get_by_text("Open batch 901").click()
    page.locator("h1").click()
    expect(batches.locator("tbody tr")).to_have_count(before + 2)
    expect(batches.locator("[data-newer]")).to_be_hidden()


def test_alerts_come_by_themselves_but_not_under_the_hands_of_staff(
    page: Page, stack: Stack, context: Context
) -> None:
    root = context.root.folder
    assert root is not None
    page.goto("/alerts")
    newer, reason = page.locator("#list-alerts [data-newer]"), page.get_by_label("Reason")

    def opens(alert: str) -> Locator:
        write(root, Ops.ALERTS, {**ALERT, "alert_id": alert})
        stack.version += 1
        return page.locator(f"#{alert}")

    expect(opens("b1")).to_be_visible()
    page.get_by_label("Alert b1").check()
    page.locator("h1").click()
    second = opens("b2")
    expect(newer).to_be_visible()
    expect(second).to_have_count(0)
    expect(page.get_by_label("Alert b1")).to_be_checked()
    page.get_by_label("Alert b1").uncheck()
    reason.fill("I look after it")
    page.locator("h1").click()
    expect(newer).to_be_visible()
    expect(reason).to_have_value("I look after it")
    reason.fill("")
    page.locator("h1").click()
    expect(second).to_be_visible()
    expect(newer).to_be_hidden()
    page.get_by_label("All", exact=True).check()  # which a list that came by itself has, too
    expect(page.get_by_label("Alert b2")).to_be_checked()


def test_without_locks_a_tab_listens_while_it_is_seen(page: Page) -> None:
    page.clock.install()
    page.add_init_script(WITHOUT_LOCKS)
    page.goto("/pipeline")
    age, rows = page.locator("[data-live-age]"), page.locator("tbody[data-live-group]").first
    expect(age).to_have_text("live")
    expect(rows).not_to_contain_class("stale")
    assert page.evaluate("open_streams()") == 1
    page.evaluate("see(true)")
    assert page.evaluate("open_streams()") == 0
    page.clock.fast_forward(6_000)
    expect(age).to_contain_text("no news since")
    expect(rows).to_contain_class("stale")
    assert page.evaluate("open_streams()") == 0
    page.evaluate("see(false)")
    expect(age).to_have_text("live")
    expect(rows).not_to_contain_class("stale")
    assert page.evaluate("open_streams()") == 1
