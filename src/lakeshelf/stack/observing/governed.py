"""How governed datasets are: what keeps them from being served, merged or published, each with its way out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lakeshelf import extras
from lakeshelf.counts import count_is, count_of
from lakeshelf.errors import LakeshelfError
from lakeshelf.lake.place import storage
from lakeshelf.lake.place.location import Root
from lakeshelf.settings import Settings
from lakeshelf.stack.observing.diagnosis import CheckFinding, bad, good
from lakeshelf.stack.observing.processes import fresh
from lakeshelf.stack.supervision.governed import EXTRA
from lakeshelf.stack.supervision.parts import GOVERNED
from lakeshelf.stack.supervision.supervisor import running_stack
from lakeshelf.status_files import PUBLICATION

if TYPE_CHECKING:
    from lakeshelf.governance.metadata import Metadata

BOUND_WITHIN = timedelta(seconds=60)
"""How long a dataset may wait to be bound to its topic before something is wrong."""
AGAIN = "run `lakeshelf down`, then `lakeshelf up`"


def problems(settings: Settings) -> list[str]:
    """What is wrong with publication and merges, a line each; empty where there are no governed datasets."""
    findings = [*publication(settings), *merges(settings)]
    return [f"{finding.message}; {finding.fix}" for finding in findings if not finding.ok]


def service(settings: Settings) -> Iterator[CheckFinding]:
    """Whether the API and the process that judges rows run."""
    stack = running_stack(settings)
    if extras.absent((EXTRA,)):
        yield good(f"not served: the extra {EXTRA} is not installed")
    elif not stack:
        yield good("not served while the stack is down; `lakeshelf up` starts it")
    elif not stack.get("governed"):
        yield good("not served by this stack: it was started without; `lakeshelf down`, then `up`")
    else:
        yield from _parts(stack.get("parts", {}))


def _parts(parts: Mapping[str, Mapping[str, Any]]) -> Iterator[CheckFinding]:
    names = [part.name for part in GOVERNED]
    down = {name for name in names if parts.get(name, {}).get("state") != "running"}
    for name in sorted(down):
        part = parts.get(name, {})
        error = f": {part['error']}" if part.get("error") else ""
        state = part.get("state", "not started")
        yield bad(f"the {name} is {state}{error}", f"see `lakeshelf logs {name}`; {AGAIN}")
    if not down:
        yield good(f"{' and '.join(names)} run")


def publication(settings: Settings) -> Iterator[CheckFinding]:
    """Whether merged rows go to the topics that the jobs obey."""
    listed = fresh(settings, PUBLICATION).get(PUBLICATION.members, [])
    stopped = [one for one in listed if one["state"] == "stopped" or _waits_for_long(one)]
    for one in stopped:
        message, _, fix = str(one["reason"]).partition("; ")
        yield bad(f"publication of {one['dataset']} is stopped: {message}", fix or AGAIN)
    if not stopped:
        yield good(_published(listed))


def _waits_for_long(health: Mapping[str, Any]) -> bool:
    since = health.get("since")
    return since is not None and datetime.now(UTC) - datetime.fromisoformat(since) > BOUND_WITHIN


def _published(listed: Sequence[Mapping[str, Any]]) -> str:
    waiting = sum(one.get("since") is not None for one in listed)
    if waiting:
        return (
            f"{count_is(len(listed) - waiting, 'dataset')} published, and {waiting:,} not bound yet"
        )
    return f"{count_is(len(listed), 'dataset')} published" if listed else "nothing is published"


def merges(settings: Settings) -> Iterator[CheckFinding]:
    """Merges whose process is gone, and that nobody looks after."""
    metadata = _metadata(settings)
    if metadata is None:
        return
    from lakeshelf.governance.services.changes.recovery import left_alone  # noqa: PLC0415 - of the extra

    with metadata, metadata.reading() as tx:
        left = left_alone(tx, datetime.now(UTC))
    for request in left:
        yield bad(
            f"the merge of CR {request.number} of {request.project}/{request.dataset} is stuck: its process is gone",
            "`lakeshelf up` finishes it or gives it back"
            if not running_stack(settings).get("governed")
            else f"see `lakeshelf logs api`; {AGAIN}",
        )
    if not left:
        yield good("no merge is stuck")


def audit(settings: Settings) -> Iterator[CheckFinding]:
    """Whether the chains of the audit are as they were written, and as their copy in the lake has them."""
    metadata = _metadata(settings)
    if metadata is None:
        return
    from lakeshelf.governance.services import auditing  # noqa: PLC0415 - of the extra

    with metadata:
        broken = list(auditing.broken(metadata, Root.at(settings.lake_root)))
    for link in broken:
        chain = link.project or "users, tokens and projects"
        rows = f"FROM ops.governance_audit WHERE project = '{link.project}' AND number >= {link.number}"
        yield bad(
            f"the audit of {chain} is broken at event {link.number}: {link.problem}",
            f'see what the copy has by `lakeshelf sql "{rows}"`, and compare a backup of the database',
        )
    if not broken:
        yield good("every chain is as it was written, and as its copy has it")


def _metadata(settings: Settings) -> Metadata | None:
    """What is known of governed datasets; None: nothing is, or the extra is not installed."""
    place = settings.governance_place
    if extras.absent((EXTRA,)) or (isinstance(place, Path) and not place.exists()):
        return None
    from lakeshelf.governance.metadata import Metadata  # noqa: PLC0415 - of the extra, and slow to import

    return Metadata.present(place)


def strangers(settings: Settings) -> Iterator[CheckFinding]:
    """Commits to governed datasets that no change request made."""
    if extras.absent((EXTRA,)):
        return
    root, examined, sound = Root.at(settings.lake_root), 0, True
    for name in storage.project_tables(root):
        try:
            stranger = _stranger(root, name)
        except LakeshelfError as error:
            stranger = bad(error.message, error.hint or f"see `lakeshelf lake doctor {name}`")
        examined += 1
        if stranger is not None:
            sound = False
            yield stranger
    if sound:
        yield good(f"{count_of(examined, 'governed dataset')}, changed by change requests alone")


def _stranger(root: Root, name: str) -> CheckFinding | None:
    from lakeshelf.governance.publication.commits import commits, strange, way_out  # noqa: PLC0415
    from lakeshelf.governance.storage.layout import OWNER  # noqa: PLC0415
    from lakeshelf.lake import Lake  # noqa: PLC0415

    snapshot = Lake(root).snapshot(name)
    stranger = commits(snapshot, 0).stranger if snapshot.dataset.owner == OWNER else None
    if stranger is None:
        return None
    return bad(f"{name} {strange(stranger)}", way_out(name))
