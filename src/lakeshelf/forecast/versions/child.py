"""The process in which a model is tried: it limits itself, forecasts once, and ends.

python -m lakeshelf.forecast.versions.child MODULE NAME MEMORY CPU_S SECONDS FILE_BYTES < TASK > FORECASTS
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

    from lakeshelf.forecast.frames import Trained


def main() -> None:
    """Read a task, write forecasts: before the libraries come in, limits are set."""
    module, name, *bounds = sys.argv[1:]
    _limit(*map(int, bounds))
    answer = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # LightGBM says there what it warns of
    rows = _rows()
    predict = getattr(import_module(module), name)(_trained(rows))
    with answer:
        answer.write(_numbers(predict(rows)))


def _limit(memory: int, cpu_s: int, seconds: int, file_bytes: int) -> None:
    """Bound what this process may use; the alarm ends it even when nobody waits for it any more."""
    signal.alarm(seconds)
    for what, bound in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CPU, cpu_s),
        (resource.RLIMIT_FSIZE, file_bytes),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(what, (bound, bound))


def _rows() -> pa.Table:
    import pyarrow as pa  # noqa: PLC0415 - within the limits

    return pa.ipc.open_stream(sys.stdin.buffer).read_all()


def _trained(rows: pa.Table) -> Trained:
    from lakeshelf.forecast.frames import Columns, Trained  # noqa: PLC0415 - within the limits
    from lakeshelf.forecast.versions.sandbox import TASK  # noqa: PLC0415

    model = json.loads(rows.schema.metadata[TASK])
    categories = {name: tuple(values) for name, values in model["categories"].items()}
    columns = Columns(tuple(model["numeric"]), categories)
    return Trained(columns, model["heads"], model["settings"])


def _numbers(forecast: Any) -> bytes:
    import numpy as np  # noqa: PLC0415 - within the limits

    return np.column_stack([forecast.mean, forecast.quantiles]).astype("<f8").tobytes()


if __name__ == "__main__":
    main()
