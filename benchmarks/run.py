"""All benchmarks one after another, then the report: `python -m benchmarks.run [--quick …]`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from benchmarks import harness, report


def main(argv: Sequence[str] | None = None) -> int:
    """Run all with the same options; a failure does not keep the others from running."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    failed = []
    for benchmark in report.BENCHMARKS:
        try:
            harness.main(benchmark, arguments)
        except Exception as error:  # noqa: BLE001 - the others still run; told at the end
            failed.append(f"{benchmark.name}: {type(error).__name__}: {error}")
    if "--quick" not in arguments:
        report.main([])
    for line in failed:
        sys.stderr.write(f"error: {line}\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
