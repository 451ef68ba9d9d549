"""Containers: how long the image takes to build, the whole product to be well, and to go on after a kill."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.harness import Benchmark, Figure, Parameters, Run, main, rounded
from tests.containers import engine
from tests.containers.project import Project
from tests.support import eventually

JOBS = "jobs"
STATUS = "/lake/_stack/streams.json"
PATIENCE_S = 300.0


def figures(_: Parameters) -> list[Figure]:
    """As a user of `docker compose` waits for them, the customers simulated."""
    return [
        Figure("build_s", "the image built anew, no layer of it kept", "s", 180.0),
        Figure("image_gb", "the image", "GB", 1.7),
        Figure("up_s", "`docker compose up -d --wait`, without data: asked → all healthy", "s", 60.0),
        Figure("again_s", "the same with data, after `down`", "s"),
        Figure("killed_s", "SIGKILL of `jobs` → its next batch", "s", 30.0),
        Figure("stopped_s", "`docker compose stop` of all: asked → all ended", "s"),
    ]  # fmt: skip


def run(parameters: Parameters, seed: int, folder: Path, say: Callable[[str], None]) -> Run:
    """Build the image, bring all up, kill the jobs, stop, and bring all up again."""
    if reason := engine.lacking():
        raise RuntimeError(f"containers cannot be run here: {reason}")
    engine.install()
    builder = engine.Builder()
    built = built_anew(builder, say)
    archive = builder.build()
    with engine.started(folder) as docker:
        engine.load(docker, archive)
        return {"figures": rounded({**built, **measured(docker, say)})}


def built_anew(builder: engine.Builder, say: Callable[[str], None]) -> dict[str, float]:
    """The figure of a machine that never built the image; Debian itself is there."""
    builder.base()
    began = time.perf_counter()
    image = builder.image("--no-cache")
    seconds = time.perf_counter() - began
    builder.run("rmi", image)
    say(f"built after {seconds:.1f} s")
    return {"build_s": seconds}


def measured(docker: engine.Engine, say: Callable[[str], None]) -> dict[str, float]:
    """The other figures, with an engine that has the image."""
    size = int(docker.docker("image", "inspect", "--format", "{{.Size}}", engine.IMAGE))
    project = Project(docker, engine.compose())
    project.down("--volumes")
    try:
        return {"image_gb": size / 1e9, **_lived_through(project, say)}
    finally:
        project.down("--volumes")


def _lived_through(project: Project, say: Callable[[str], None]) -> dict[str, float]:
    up = _seconds(project.up)
    say(f"up after {up:.1f} s")
    killed = _seconds(lambda: _kill(project))
    say(f"killed, and on after {killed:.1f} s")
    stopped = _seconds(lambda: project.run("stop"))
    project.down()
    again = _seconds(project.up)
    return {"up_s": up, "killed_s": killed, "stopped_s": stopped, "again_s": again}


def _kill(project: Project) -> None:
    """Kill the jobs, and wait for a batch that is done behind that."""
    killed_at = time.time()
    project.kill(JOBS)
    eventually(lambda: _last_done(project) > killed_at, "a batch after the kill", PATIENCE_S)


def _last_done(project: Project) -> float:
    """When the last batch was done; 0 while nobody can be asked."""
    try:
        status = json.loads(project.exec("components", "cat", STATUS))
    except (AssertionError, ValueError):
        return 0.0
    return max((float(query["done_at"]) for query in status["queries"]), default=0.0)


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


BENCHMARK = Benchmark(
    name="containers",
    title="The product in containers",
    defaults={},
    quick={},
    figures=figures,
    run=run,
)

if __name__ == "__main__":
    sys.exit(main(BENCHMARK))
