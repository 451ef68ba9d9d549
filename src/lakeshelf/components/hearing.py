"""How often a component failed on the message that it hears, in a file that outlives the process."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import TypeAdapter

from lakeshelf.components.component import Heard
from lakeshelf.errors import first_line
from lakeshelf.files import content_of, replace_content
from lakeshelf.streams.run.failure import has_nothing_to_do_with_records
from lakeshelf.streams.run.trials import MOST_IN_A_ROW, SAME_FAILURES, UNKNOWN_END

FOLDER = "hearing"


@dataclass
class Hearing:
    """The message that a component hears, or heard last.

    Attributes:
        topic, offset: Which one.
        running: Whether it is heard now.
        failure: How it failed last.
        times: How often it failed.
        unproven: Messages that were refused since one was heard.
    """

    topic: str = ""
    offset: int = -1
    running: bool = False
    failure: str = ""
    times: int = 0
    unproven: int = 0


class Hearings:
    """The file of one component.

    Args:
        stack_dir: Folder of the stack's state.
        name: The component.
    """

    def __init__(self, stack_dir: Path, name: str) -> None:
        self._file = stack_dir / FOLDER / f"{name}.json"
        self._now = read(self._file)

    def hopeless(self, heard: Heard) -> str:
        """Why there is no use in hearing a message again; empty if it may be heard, which begins then."""
        now = self._now
        if (now.topic, now.offset) != (heard.topic, heard.offset):
            self._now = now = Hearing(heard.topic, heard.offset, unproven=now.unproven)
        elif now.running:
            now.times, now.failure = now.times + 1, UNKNOWN_END
        now.running = now.times < SAME_FAILURES or now.unproven >= MOST_IN_A_ROW
        self._keep()
        return "" if now.running else now.failure

    def failed(self, error: Exception) -> None:
        """It failed; only what lies in the message, or may do so, counts."""
        self._now.running = False
        if not has_nothing_to_do_with_records(error):
            self._now.times, self._now.failure = (
                self._now.times + 1,
                f"{type(error).__name__}: {first_line(error)}",
            )
        self._keep()

    def heard(self) -> None:
        """It was heard to its end."""
        self._now.running, self._now.unproven = False, 0
        self._keep()

    def refused(self) -> None:
        """It was refused."""
        self._now.unproven += 1
        self._keep()

    def _keep(self) -> None:
        replace_content(self._file, json.dumps(asdict(self._now)).encode())


def read(file: Path) -> Hearing:
    """What a component has heard; nothing without a file, or of one that was cut or that something else wrote."""
    try:
        return TypeAdapter(Hearing).validate_json(content_of(file))
    except (OSError, ValueError):
        return Hearing()
