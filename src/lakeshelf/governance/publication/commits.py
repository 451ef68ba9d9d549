"""What the commits of a canonical table say of themselves, as far as publication goes by it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from lakeshelf.governance.storage.main import QUIET_OPERATIONS
from lakeshelf.lake.place.errors import explained
from lakeshelf.lake.rows.snapshot import Entry, Snapshot

ADOPT, BINDING, FENCE, FOREIGN = "adopt", "binding", "fence", "foreign"
"""Kinds of commits: rows as the topic has them; the binding; how far a topic was read; keys to be sent again."""
TAKES_UP = "takes_up"
"""Entry of a commit that takes up what others did: the last version of theirs that it is about."""
KEYS = "keys"
"""Entry of a commit that names keys of messages to be sent, touched or not."""
FIRST = 1
"""Version of the first commit of a table; 0 is its creation."""


@dataclass(frozen=True)
class Commits:
    """The commits after one version up to another.

    Attributes:
        start: The version that they come after.
        end: The version of the last.
        at: When the last was made.
        adopted: Versions that took rows from the topic, which has them already.
        keys: Keys of messages that commits name to be sent.
        bound_to: Id of the topic of a binding that came with the dataset, as its first commit; None: of none, or it
            is not among them.
        stranger: The last commit that nobody of the service made and that no later one took up.
    """

    start: int
    end: int
    at: datetime
    adopted: frozenset[int]
    keys: tuple[str, ...]
    bound_to: str | None
    stranger: Entry | None

    def runs(self) -> Iterator[tuple[int, int]]:
        """Versions of which touched rows are sent, as (after, up to)."""
        start = self.start
        for version in sorted(self.adopted):
            if version - 1 > start:
                yield start, version - 1
            start = version
        if self.end > start:
            yield start, self.end


def commits(snapshot: Snapshot, start: int) -> Commits:
    """The commits of a table after a version, as far back as its log tells of them."""
    with explained(f"the history of {snapshot.dataset.name} cannot be read"):
        logged = snapshot.handle.history(max(1, snapshot.version - start))
    entries = [Entry.of(entry) for entry in logged]
    later = [entry for entry in entries if entry.version > start]
    keys = [key for entry in later if is_ours(entry) for key in entry.metadata.get(KEYS, ())]
    adopted = frozenset(e.version for e in later if is_ours(e) and e.metadata["kind"] == ADOPT)
    bound_to = next((_bound_to(entry) for entry in later if entry.version == FIRST), None)
    at = entries[0].committed_at
    stranger = next(iter(strangers(later)), None)
    return Commits(start, snapshot.version, at, adopted, tuple(keys), bound_to, stranger)


def is_ours(entry: Entry) -> bool:
    """Whether the service made a commit."""
    return entry.stamp is not None and "kind" in entry.metadata


def strange(stranger: Entry) -> str:
    """What is to be said of a dataset with a commit of others."""
    return f"has version {stranger.version} ({stranger.operation}), which no change request made"


def way_out(dataset: str) -> str:
    """What to do about commits of others to a dataset, by its name in the library."""
    return (
        f"`lakeshelf data outside {dataset}` shows what they did, and has it taken up or taken back"
    )


def strangers(entries: Sequence[Entry]) -> list[Entry]:
    """Commits of others that none of ours takes up, of entries with the latest first."""
    covered = [
        one.metadata[TAKES_UP] for one in entries if is_ours(one) and TAKES_UP in one.metadata
    ]
    last = max(covered, default=-1)
    return [one for one in entries if one.version > last and _is_of_others(one)]


def _is_of_others(entry: Entry) -> bool:
    return not is_ours(entry) and entry.operation not in QUIET_OPERATIONS


def _bound_to(entry: Entry) -> str | None:
    is_binding = is_ours(entry) and entry.metadata["kind"] == BINDING
    return entry.metadata["topic_id"] if is_binding else None
