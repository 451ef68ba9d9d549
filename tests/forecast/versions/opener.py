"""Opens texts by LightGBM in a process of its own: a JSON line with a text in, one with its forecasts out."""

from __future__ import annotations

import json
import os
import sys

import lightgbm

from tests.forecast.versions.cases import rows

ROWS = rows(40)


def main() -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # LightGBM writes there
    for line in sys.stdin:
        booster = lightgbm.Booster(model_str=json.loads(line))
        contributions = booster.predict(ROWS, num_threads=1, pred_contrib=True)
        forecast = booster.predict(ROWS, num_threads=1)
        print(json.dumps([forecast.tolist(), len(contributions)]), file=answers, flush=True)


if __name__ == "__main__":
    main()
