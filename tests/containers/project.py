"""The product's Compose file, driven as its user does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.containers.engine import HOME, Engine, run


class Project:
    """Services of `docker-compose.yml`.

    Args:
        engine: Where they run.
        compose: The program.
        variables: Variables for the file.
    """

    def __init__(self, engine: Engine, compose: Path, **variables: str) -> None:
        self.engine = engine
        self._compose = compose
        self.variables = variables

    def run(self, *arguments: object) -> str:
        """Run Compose; what it printed."""
        return run(
            self._compose,
            "--progress=quiet",
            *arguments,
            cwd=HOME,
            env=self.engine.environment | self.variables,
        )

    def up(self, *services: str) -> None:
        """Start services, all of them where none is named, and wait until they are healthy."""
        self.run("up", "--detach", "--no-build", "--wait", "--wait-timeout", 900, *services)

    def down(self, *options: str) -> None:
        """Stop and remove all containers."""
        self.run("--profile", "*", "down", "--remove-orphans", "--timeout", 90, *options)

    def exec(self, service: str, *command: object) -> str:
        """Run a command in a container that runs."""
        return self.run("exec", "--no-tty", service, *command)

    def containers(self) -> dict[str, dict[str, Any]]:
        """Service → what the engine knows of its container."""
        ids = self.run("ps", "--all", "--quiet").split()
        inspected = json.loads(self.engine.docker("inspect", *ids)) if ids else []
        return {one["Config"]["Labels"]["com.docker.compose.service"]: one for one in inspected}

    def kill(self, service: str) -> None:
        """End a service's process as a crash would, behind the engine's back, so that it is started again."""
        run("kill", "-KILL", self.containers()[service]["State"]["Pid"])

    def health(self, service: str) -> str:
        """What the engine says of a service."""
        return str(self.containers()[service]["State"].get("Health", {}).get("Status", ""))

    def restarts(self, service: str) -> int:
        """How often the engine started a service again."""
        return int(self.containers()[service]["RestartCount"])
