"""The process of a training: it limits itself, ends with its parent, and says in one line what it came to.

python -m lakeshelf.forecast.training.child ROOT TIME REASON
"""

from __future__ import annotations

import json
import os
import resource
import sys
import threading
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime

from lakeshelf.errors import LakeshelfError, MissingExtra
from lakeshelf.forecast.training.apart import Ended

MEMORY = 8 * 2**30
"""Bytes of addresses; the libraries map a good part of them without using it."""
NICER = 10
ACTOR = "training-service"
YOUNG_DAYS = 7
"""A young shop whose model passed not every gate has much more to learn from a week later."""


def main() -> None:
    """Train, and print what it came to."""
    root, at, reason = sys.argv[1], datetime.fromisoformat(sys.argv[2]), sys.argv[3]
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    os.nice(NICER)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    answer = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # LightGBM says there what it warns of
    with answer:
        answer.write(json.dumps(asdict(ended(lambda: trained(root, at, reason)))) + "\n")


def ended(train: Callable[[], Ended]) -> Ended:
    """What a training came to, also where it could not be."""
    from lakeshelf.forecast.model.folds import TooLittleHistory  # noqa: PLC0415 - within the limits

    try:
        return train()
    except TooLittleHistory as error:
        return Ended("skipped", str(error), again_days=1)
    except MissingExtra as error:
        return Ended("skipped", str(error))
    except LakeshelfError as error:
        return Ended("failed", str(error))
    except MemoryError:
        return Ended("failed", f"it needs more than {MEMORY // 2**30} GB of memory")


def trained(root: str, at: datetime, reason: str) -> Ended:
    """Train a version; one that passed every gate becomes challenger."""
    from lakeshelf.forecast.model.boosted import RELATIVE  # noqa: PLC0415 - within the limits
    from lakeshelf.forecast.training import training  # noqa: PLC0415
    from lakeshelf.forecast.versions import registered  # noqa: PLC0415
    from lakeshelf.forecast.versions.registry import Attribution, advance  # noqa: PLC0415

    act = Attribution(ACTOR, at, reason)
    lake = registered.writer(root, who=ACTOR)
    card = training.train(lake, training.TrainingRequest(act, at.date())).card
    name = card.model_version
    model = registered.read(lake).registry.model(name)
    if model.status == "candidate" and not model.failed_gates:
        registered.change(lake, lambda known: advance(known, name, act), attempts=3)
        model = registered.read(lake).registry.model(name)
    if not model.failed_gates:
        return Ended("trained", "", name, model.status)
    again = YOUNG_DAYS if card.settings.get(RELATIVE) else None
    reason = f"gates not passed: {', '.join(model.failed_gates)}"
    return Ended("trained", reason, name, model.status, again)


def _end_with_parent() -> None:
    """The pipe ends with the process that holds its other end."""
    sys.stdin.buffer.read()
    os._exit(1)


if __name__ == "__main__":
    main()
