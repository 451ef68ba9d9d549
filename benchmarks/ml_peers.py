"""Other libraries on the shelves of a trial: what each forecasts of its newest fold, as its users set it up."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks import peer_venvs
from benchmarks.harness import Figure
from benchmarks.machine import home
from benchmarks.peer_venvs import Unavailable
from benchmarks.usage import WatchedProcess
from benchmarks.ways import Way, described
from lakeshelf.forecast.demand.features import SCHEMA, columns
from lakeshelf.forecast.demand.segments import segment
from lakeshelf.forecast.frames import DEMAND, KEY, WEIGHT, Columns, Floats
from lakeshelf.forecast.model.rows import kept, numbers
from lakeshelf.forecast.model.scores import DEVIANCE, METRICS, JudgedForecasts
from lakeshelf.forecast.model.trial import Trial

PROGRAMS, ENVIRONMENT = "benchmarks.peer_programs", "demand"
"""All of them are installed together."""
SHELVES, OFTEN = "4+ lines", "13+ lines"
"""Segment that is forecast, and the part of it that is compared apart."""
MOST_VALUES = 255
"""scikit-learn's trees take categories of so many values."""
ONE_THREAD = {"OMP_NUM_THREADS": "1"}
"""As ours: on a busy machine several threads wait for each other at full speed."""
MIB = 2**20
OURS = ("lost sales", "quantiles of whole units", "the tail", "gates", "orders")
NO_FEATURES = ("prices", "promotions", "visits", *OURS)
PEERS: Mapping[str, Way] = {
    "statsforecast": Way("statsforecast, IMAPA", ("learning from other shelves", *NO_FEATURES), "statsforecast"),
    "mlforecast": Way("mlforecast, LightGBM on lags", NO_FEATURES, "mlforecast"),
    "sklearn": Way("scikit-learn on our features", ("features", "a file that is safe to read", *OURS), "scikit-learn"),
}  # fmt: skip
"""Key → peer. The order is that of the run."""
TO_REACH = {"statsforecast": 6.0}
"""Percent by which the deviance of the model is to be below a peer's."""


@dataclass(frozen=True)
class Match:
    """What all of them forecast, and what they may know.

    Attributes:
        train: Rows with labels that were known when the fold began.
        test: Rows of the fold, without labels.
        daily: `shelf_id`, `day`, `units` of their shelves.
        model: Forecasts of the model for the rows of `test`, with what came.
        often: Which of these sell often.
    """

    train: pa.Table
    test: pa.Table
    daily: pa.Table
    model: JudgedForecasts
    often: np.ndarray[Any, np.dtype[np.bool_]]

    @classmethod
    def of(
        cls, trial: Trial, model: str, rows: pa.Table, daily: pa.Table, sample: int, seed: int
    ) -> Match:
        """The newest fold of a trial; of more than `sample` rows to learn from, some are drawn.

        Args:
            trial: The trial.
            model: Name of the model in it.
            rows: Rows of the trial.
            daily: Units of shelves by day.
            sample: Most rows to learn from.
            seed: Of the draw.
        """
        of_test = segment(trial.newest, SHELVES)
        test = kept(trial.newest, of_test)
        before = trial.folds[-1].train(rows)
        train = _drawn(kept(before, segment(before, SHELVES)), sample, seed)
        own = pc.is_in(daily["shelf_id"], value_set=pc.unique(test["shelf_id"]))
        return cls(
            train,
            test,
            daily.filter(own),
            trial.judged[model].of(of_test),
            segment(test, OFTEN),
        )


@dataclass(frozen=True)
class MatchResult:
    """What came of a match.

    Attributes:
        figures: Key of a figure → number; without those of peers that could not be measured.
        ways: Peer → what it is, and what kept it from being measured.
    """

    figures: Mapping[str, float]
    ways: Mapping[str, Mapping[str, Any]]


def figures(peers: Sequence[str]) -> Iterator[Figure]:
    """How much better the model forecasts than each of them, and what these cost."""
    for key in peers:
        title, goal = PEERS[key].title, TO_REACH.get(key)
        below = f"newest fold: deviance below that of {title}"
        yield Figure(f"{key}_deviance", f"{below}, {SHELVES}", "%", goal, higher=True)
        yield Figure(f"{key}_often", f"{below}, {OFTEN}", "%", higher=True)
        yield Figure(f"{key}_cpu", f"{title}: learning and forecasting, CPU", "s")
        yield Figure(f"{key}_memory", f"{title}: memory (PSS, most)", "MiB")


def played(
    match: Match, peers: Sequence[str], folder: Path, say: Callable[[str], None]
) -> MatchResult:
    """Let each of them forecast, one after another."""
    measured: dict[str, float] = {}
    problems: dict[str, str] = {}
    hand_over(match, folder)
    for key in peers:
        try:
            measured |= of_peer(key, match, folder)
            say(", ".join(f"{k} {v:,.1f}" for k, v in measured.items() if k.startswith(key)))
        except Unavailable as error:
            problems[key] = str(error)
            say(f"{key}: {error}")
    ways = {key: described(PEERS[key], ENVIRONMENT, problems.get(key, "")) for key in peers}
    return MatchResult(measured, ways)


def hand_over(match: Match, folder: Path) -> None:
    """Write what programs read: `train.parquet`, `test.parquet` and `daily.parquet`."""
    reads = _readable(match.train.select(SCHEMA.names))
    labels = {name: match.train[name] for name in (DEMAND, WEIGHT)}
    pq.write_table(pa.table({**_plain(match.train, reads), **labels}), folder / "train.parquet")
    pq.write_table(pa.table(_plain(match.test, reads)), folder / "test.parquet")
    series = {
        "unique_id": match.daily["shelf_id"],
        "ds": match.daily["day"].cast(pa.timestamp("ns")),
        "y": match.daily["units"].cast(pa.float64()),
    }
    pq.write_table(pa.table(series), folder / "daily.parquet")


def of_peer(key: str, match: Match, folder: Path) -> dict[str, float]:
    """The figures of one of them.

    Raises:
        Unavailable: It cannot be installed, or does not do its work.
    """
    cpu, memory = _run(key, folder)
    rival = replace(match.model, mean=forecasts(match.test, folder))
    parts = {"deviance": np.ones(len(match.often), np.bool_), "often": match.often}
    return {
        **{f"{key}_{name}": _below(match.model.of(m), rival.of(m)) for name, m in parts.items()},
        f"{key}_cpu": cpu,
        f"{key}_memory": memory / MIB,
    }


def forecasts(test: pa.Table, folder: Path) -> Floats:
    """What a program has forecast, in the order of the rows, 0 or more.

    Raises:
        Unavailable: It leaves rows out.
    """
    said = pq.read_table(folder / "forecasts.parquet")
    said = said.set_column(1, KEY[1], said[KEY[1]].cast(pa.date32()))
    places = pa.table({**{name: test[name] for name in KEY}, "place": np.arange(test.num_rows)})
    mean = places.join(said, list(KEY)).sort_by("place")["mean"]
    values = np.asarray(mean.to_numpy(), np.float64)
    if len(values) != test.num_rows or not np.isfinite(values).all():
        raise Unavailable(f"forecasts {np.isfinite(values).sum():,} of {test.num_rows:,} rows")
    return np.maximum(values, 0)


def command(key: str, folder: Path) -> list[str]:
    """What starts a peer.

    Raises:
        Unavailable: It cannot be installed here.
    """
    program = f"{PROGRAMS}.{ENVIRONMENT}_{key}"
    return [str(peer_venvs.python(ENVIRONMENT)), "-m", program, str(folder)]


def _run(key: str, folder: Path) -> tuple[float, int]:
    """Processor seconds and most bytes of a program."""
    words, variables = command(key, folder), {**os.environ, **ONE_THREAD, "PYTHONPATH": str(home())}
    (folder / "forecasts.parquet").unlink(missing_ok=True)
    log, before = folder / f"{key}.log", os.times()
    with log.open("wb") as out:
        process = subprocess.Popen(words, stdout=out, stderr=out, env=variables, cwd=folder)
        with WatchedProcess(process.pid) as watched:
            process.wait()
    if process.returncode:
        said = peer_venvs.last_line(log.read_text(errors="replace"))
        raise Unavailable(f"ended with {process.returncode}: {said}")
    after = os.times()
    spent = after.children_user + after.children_system
    return spent - before.children_user - before.children_system, watched.memory


def _below(model: JudgedForecasts, rival: JudgedForecasts) -> float:
    """Percent by which the deviance of the model is below that of a rival."""
    return 100 * (1 - METRICS[DEVIANCE](model) / METRICS[DEVIANCE](rival))


def _drawn(rows: pa.Table, most: int, seed: int) -> pa.Table:
    if rows.num_rows <= most:
        return rows
    places = np.random.default_rng(seed).choice(rows.num_rows, most, replace=False)
    return rows.take(np.sort(places))


def _readable(rows: pa.Table) -> Columns:
    """What all libraries can read: numbers that are known of some row, texts of few values."""
    reads = columns(rows)
    known = tuple(name for name in reads.numeric if rows[name].null_count < rows.num_rows)
    few = {name: values for name, values in reads.categories.items() if len(values) <= MOST_VALUES}
    return Columns(known, few)


def _plain(rows: pa.Table, reads: Columns) -> dict[str, Any]:
    """Key and features as other libraries read them: numbers, and texts of few values."""
    return {
        **{name: rows[name] for name in KEY},
        **{name: numbers(rows, name) for name in reads.numeric},
        **{name: rows[name].dictionary_encode() for name in reads.categories},
    }
