"""Writes the table of metrics into docs/observability.md: `python -m tests.telemetry.page`."""

from __future__ import annotations

import re
from pathlib import Path

from lakeshelf.telemetry import metrics

PAGE = Path(__file__).parents[2] / "docs" / "observability.md"
_BLOCK = re.compile(r"(<!-- metrics: [^\n]*-->\n).*?(<!-- end -->)", re.DOTALL)


def written(page: str) -> str:
    """The page with the table as the declarations have it."""
    columns = ("metric", "type", "labels", "is")
    rows = [
        " | ".join((m.exported, m.kind, ", ".join(m.labels), m.help))
        for m in metrics.METRICS.values()
    ]
    table = "\n".join(f"| {row} |" for row in (" | ".join(columns), "---|---|---|---", *rows))
    return _BLOCK.sub(lambda block: f"{block[1]}\n{table}\n\n{block[2]}", page)


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
