"""A model from elsewhere is tried in a process of its own, with little memory and time, before anything uses it.

What comes back are plain numbers in a file without a name; nothing that the process writes is more than a bounded text.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import IO

import numpy as np
import pyarrow as pa

from lakeshelf.forecast.frames import HEADS, Floats, Forecast, Trained
from lakeshelf.forecast.versions.errors import TrialRefused

Predictor = Callable[[Trained], Callable[[pa.Table], Forecast]]
TASK = b"trained"
"""Where the schema of the rows that the process gets has the model."""
_WAY = "ask who trained it, or train one here"
_SAID = 64 * 2**10


@dataclass(frozen=True)
class SandboxLimits:
    """What the process may use.

    Attributes:
        memory_bytes: Address space; the libraries alone map most of a gigabyte.
        cpu_s: Processor time.
        seconds: Time until it has to have ended.
    """

    memory_bytes: int = 4 * 2**30
    cpu_s: int = 120
    seconds: float = 300.0


def forecast(
    trained: Trained, rows: pa.Table, predictor: Predictor, limits: SandboxLimits | None = None
) -> Forecast:
    """What a model forecasts, in a process of its own, which has ended afterwards with all that it began.

    Args:
        trained: A model whose texts were looked through.
        rows: Rows that it can read.
        predictor: What makes a model forecast, by its name at the top of a module.
        limits: What the process may use.

    Raises:
        TrialRefused: The process died or took too long, or forecasts are no numbers, negative or unordered.
    """
    numbers = _numbers(trained, rows, predictor, limits or SandboxLimits())
    if (what := fault(numbers)) is not None:
        raise TrialRefused(f"the model forecasts what cannot be: {what}", hint=_WAY)
    return Forecast(mean=numbers[:, 0].copy(), quantiles=numbers[:, 1:].copy())


def fault(numbers: Floats) -> str | None:
    """What cannot be among forecasts, one row a row and a column a head; None: nothing."""
    for what, is_so in (
        ("no number", ~np.isfinite(numbers)),
        ("below 0", numbers < 0),
        ("a quantile below the one before it", numbers[:, 2:] < numbers[:, 1:-1]),
    ):
        if is_so.any():
            row = int(np.argmax(is_so.any(axis=1)))
            shown = ", ".join(f"{number:.6g}" for number in numbers[row])
            return f"{what} in row {row} ({shown})"
    return None


def _numbers(
    trained: Trained, rows: pa.Table, predictor: Predictor, limits: SandboxLimits
) -> Floats:
    """Mean and quantiles, as the process answered."""
    size = rows.num_rows * len(HEADS) * np.dtype("<f8").itemsize
    named = predictor.__module__, predictor.__qualname__
    with _file() as task, _file() as answer, _file() as said:
        _give(task, trained, rows)
        reason = _run([*named, *_arguments(limits, size)], limits.seconds, (task, answer, said))
        if reason is not None:
            raise TrialRefused(f"the model could not be tried: {reason}", hint=_WAY)
        answer.seek(0)
        content = answer.read(size + 1)
    if len(content) != size:
        what = f"{len(content)} bytes of forecasts instead of {size}"
        raise TrialRefused(f"the model could not be tried: it gave {what}", hint=_WAY)
    return np.frombuffer(content, "<f8").reshape(-1, len(HEADS)).astype(np.float64)


def _file() -> IO[bytes]:
    return tempfile.TemporaryFile()


def _arguments(limits: SandboxLimits, size: int) -> list[str]:
    bounds = (limits.memory_bytes, limits.cpu_s, int(limits.seconds) + 1, max(size, _SAID))
    return [str(bound) for bound in bounds]


def _give(task: IO[bytes], trained: Trained, rows: pa.Table) -> None:
    """Write rows, and the model beside their schema."""
    model = {
        "numeric": trained.columns.numeric,
        "categories": dict(trained.columns.categories),
        "heads": dict(trained.heads),
        "settings": dict(trained.settings),
    }
    carrying = rows.replace_schema_metadata({TASK: json.dumps(model).encode()})
    with pa.ipc.new_stream(task, carrying.schema) as stream:
        stream.write_table(carrying)
    task.seek(0)


def _run(
    arguments: list[str], seconds: float, files: tuple[IO[bytes], IO[bytes], IO[bytes]]
) -> str | None:
    """Run the process to its end; why it came to nothing, or None."""
    task, answer, said = files
    process = subprocess.Popen(  # -B: where files are bounded, compiled modules would be cut
        [sys.executable, "-B", "-P", "-m", "lakeshelf.forecast.versions.child", *arguments],
        stdin=task,
        stdout=answer,
        stderr=said,
        env=_environment(),
        cwd="/",
        start_new_session=True,
    )
    try:
        code = process.wait(seconds)
    except subprocess.TimeoutExpired:
        return f"it took more than {seconds:g} s"
    finally:
        _end(process)
    if code < 0:
        return f"its process was ended by {signal.Signals(-code).name}"
    return _last_line(said) if code else None


def _environment() -> dict[str, str]:
    """Where modules are, and one thread; no secret of ours."""
    path = os.pathsep.join(os.path.abspath(entry) for entry in sys.path if entry)
    threads = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive", "OPENBLAS_NUM_THREADS": "1"}
    return {"PYTHONPATH": path, **threads}


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the process and whatever it began."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _last_line(said: IO[bytes]) -> str:
    """The last line that a process said of its end, as text that can be shown."""
    said.seek(0)
    lines = said.read(_SAID).decode("ascii", "replace").strip().splitlines()
    line = "".join(sign for sign in (lines or ["it said nothing"])[-1] if sign.isprintable())
    return line[:300]
