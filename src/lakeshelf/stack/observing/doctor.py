"""What keeps this machine, this lake or this Kafka from working; each finding with a way out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from confluent_kafka import KafkaException

from lakeshelf.errors import LakeshelfError
from lakeshelf.kafka.refusals import said
from lakeshelf.settings import Settings
from lakeshelf.stack.observing import doctor_lake, doctor_machine, governed, processes
from lakeshelf.stack.observing.diagnosis import CheckFinding

Examination = Callable[[Settings], Iterable[CheckFinding]]


@dataclass(frozen=True)
class Diagnosis:
    """What was examined, and what was found.

    Attributes:
        name: What was examined.
        ok: Whether it is in order.
        message: What there is.
        fix: What to do, a command where there is one; empty when all is well.
    """

    name: str
    ok: bool
    message: str
    fix: str = ""


EXAMINATIONS: tuple[tuple[str, Examination], ...] = (
    ("python", doctor_machine.python),
    ("java", doctor_machine.java),
    ("jars", doctor_machine.jar_files),
    ("versions", doctor_machine.versions),
    ("disk", doctor_machine.disk),
    ("memory", doctor_machine.memory),
    ("open files", doctor_machine.open_files),
    ("clock", doctor_machine.clock),
    ("permissions", doctor_machine.permissions),
    ("ports", doctor_machine.broker_ports),
    ("processes", processes.examined),
    ("project", doctor_lake.own),
    ("kafka", doctor_lake.kafka),
    ("topics", doctor_lake.topic_settings),
    ("replication", doctor_lake.replication),
    ("tables", doctor_lake.delta_tables),
    ("checkpoints", doctor_lake.checkpoints),
    ("raw", doctor_lake.places),
    ("service", governed.service),
    ("published", governed.publication),
    ("merges", governed.merges),
    ("outside", governed.strangers),
    ("audit", governed.audit),
    ("contract", doctor_lake.contract),
    ("jobs", doctor_lake.jobs),
)


def examine(
    settings: Settings, examinations: Sequence[tuple[str, Examination]] = EXAMINATIONS
) -> Iterator[Diagnosis]:
    """Examine everything; what fails in one place does not hide another."""
    for name, examination in examinations:
        yield from _diagnoses(name, examination, settings)


def _diagnoses(name: str, examination: Examination, settings: Settings) -> Iterator[Diagnosis]:
    try:
        for finding in examination(settings):
            yield Diagnosis(name, finding.ok, finding.message, finding.fix)
    except LakeshelfError as error:
        yield Diagnosis(name, False, error.message, error.hint or "run with --debug")
    except (OSError, KafkaException) as error:
        yield Diagnosis(name, False, said(error), "run `lakeshelf doctor --debug`")
