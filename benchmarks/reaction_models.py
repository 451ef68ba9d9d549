"""Reaction with the services of models on and off: the same stack in pairs, one after the other."""

from __future__ import annotations

import shutil
import statistics
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from benchmarks import live, reaction, stacks
from benchmarks.harness import Benchmark, Figure, Parameters, Run, main, rounded
from benchmarks.machine import home
from benchmarks.reaction import STEPS
from lakeshelf.components.registry import discover

SERVICES = frozenset({"training-service", "inference-service"})
ROOM = "ml-model"
"""Folder of both, and of nothing else."""
OFF, ON = "off", "on"
MOST = {"alert": 5.0}
"""Step → percent more that it may take with both on. The others are short, or wait for ticks."""


def figures(parameters: Parameters) -> list[Figure]:
    """Each step without and with both services, and the difference of the pairs."""
    rate = f"{parameters['rate']:,} events/s"
    made = []
    for step, title in STEPS.items():
        made += [
            Figure(f"{step}_{way}", f"{rate}: {title}, p50, both {way}", "ms") for way in (OFF, ON)
        ]
        more = f"{rate}: {title}, p50, more with both on (median of pairs)"
        made.append(Figure(f"{step}_more", more, "%", MOST.get(step)))
    return made


def run(parameters: Parameters, seed: int, folder: Path, say: Callable[[str], None]) -> Run:
    """Pairs of stacks; which of the two comes first changes from pair to pair."""
    homes = {OFF: without_models(folder / "home"), ON: home()}
    medians: dict[str, list[dict[str, float]]] = {OFF: [], ON: []}
    for pair in range(parameters["pairs"]):
        for way in (OFF, ON) if pair % 2 == 0 else (ON, OFF):
            report = measured(folder / "lake", homes[way], parameters, seed + pair)
            medians[way].append({step: report[step].get("p50", float("nan")) for step in STEPS})
            say(f"pair {pair + 1}, both {way}: {medians[way][-1]}")
    return {"figures": rounded(compared(medians)), "pairs": medians}


def without_models(folder: Path) -> Path:
    """A checkout that is ours but for the services of models."""
    folder.mkdir()
    for place in home().iterdir():
        if place.name != ROOM:
            (folder / place.name).symlink_to(place)
    gone = discover(home()).keys() - discover(folder).keys()
    if gone != SERVICES:
        raise AssertionError(f"without {ROOM}/ there are no {', '.join(sorted(gone))}")
    return folder


def measured(lake: Path, checkout: Path, parameters: Parameters, seed: int) -> dict[str, Any]:
    """Milliseconds of each step, of a stack of a checkout on a lake of its own."""
    shop = {"simulation": True, "clock_speed": reaction.SPEED, "home": checkout}
    try:
        with stacks.stack(lake, **shop) as stack:
            source = live.EventSource(stack.client, parameters["shelves"], seed)
            source.open_shelves()
            probes = reaction.Probes(stack.client, parameters["probes"])
            stack.wait_folded()
            probes.introduce()
            stack.wait_folded()
            return reaction.steady(stack, source, probes, parameters["rate"], parameters)
    finally:
        shutil.rmtree(lake, ignore_errors=True)


def compared(medians: Mapping[str, list[dict[str, float]]]) -> dict[str, float]:
    """The figures of the pairs."""
    numbers: dict[str, float] = {}
    for step in STEPS:
        off, on = ([report[step] for report in medians[way]] for way in (OFF, ON))
        numbers |= {f"{step}_{OFF}": statistics.median(off), f"{step}_{ON}": statistics.median(on)}
        numbers[f"{step}_more"] = statistics.median(
            100 * (b / a - 1) for a, b in zip(off, on, strict=True)
        )
    return numbers


BENCHMARK = Benchmark(
    name="reaction_models",
    title="Reaction time with the services of models on and off",
    defaults={
        "pairs": 4,
        "rate": 1000,
        "seconds": 60,
        "warm_seconds": 20,
        "shelves": 20_000,
        "probes": 250,
        "probe_every": 0.4,
    },
    quick={
        "pairs": 1,
        "rate": 50,
        "seconds": 5,
        "warm_seconds": 3,
        "shelves": 200,
        "probes": 40,
        "probe_every": 0.5,
    },
    figures=figures,
    run=run,
)

if __name__ == "__main__":
    sys.exit(main(BENCHMARK))
