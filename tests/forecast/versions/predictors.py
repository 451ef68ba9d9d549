"""What makes a model forecast, well or in one of the ways that a trial has to survive."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable

import numpy as np
import pyarrow as pa

from lakeshelf.forecast.frames import LEVELS, MEAN, Forecast, Trained, head

Predict = Callable[[pa.Table], Forecast]


def of_lightgbm(trained: Trained) -> Predict:
    import lightgbm

    def predict(rows: pa.Table) -> Forecast:
        values = np.column_stack([rows[name] for name in trained.columns.names])
        found = {
            name: lightgbm.Booster(model_str=text).predict(values, num_threads=1)
            for name, text in trained.heads.items()
        }
        quantiles = np.column_stack([found[head(level)] for level in LEVELS])
        return Forecast(found[MEAN], np.sort(np.maximum(quantiles, 0), axis=1))

    return predict


def chatty(trained: Trained) -> Predict:
    """Says much, and leaves a process behind whose id is its forecast."""

    def predict(rows: pa.Table) -> Forecast:
        os.write(1, b"[LightGBM] [Warning] much\n" * 100)
        if (left := os.fork()) == 0:
            signal.pause()
        return Forecast(np.full(rows.num_rows, float(left)), np.ones((rows.num_rows, 6)))

    return predict


def dying(trained: Trained) -> Predict:
    os.kill(os.getpid(), signal.SIGSEGV)
    return lambda rows: Forecast(np.zeros(0), np.zeros((0, 6)))


def hanging(trained: Trained) -> Predict:
    signal.pause()
    return lambda rows: Forecast(np.zeros(0), np.zeros((0, 6)))


def greedy(trained: Trained) -> Predict:
    held = bytearray(8 * 2**30)
    return lambda rows: Forecast(np.zeros(len(held)), np.zeros((0, 6)))


def flooding(trained: Trained) -> Predict:
    while True:
        sys.stderr.write("\x1b[31m" * 100_000)


def short(trained: Trained) -> Predict:
    return lambda rows: Forecast(np.zeros(1), np.zeros((1, 6)))


def negative(trained: Trained) -> Predict:
    return lambda rows: Forecast(np.full(rows.num_rows, -1.0), np.ones((rows.num_rows, 6)))
