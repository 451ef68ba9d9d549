"""Instants and local times; zones come from the time zone database of Python.

Arrow knows no summer time after 2037, so offsets are asked of Python, once for each minute that occurs.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc

INSTANT = pa.timestamp("us", tz="UTC")
_LOCAL = pa.timestamp("us")
_MINUTE = timedelta(minutes=1) // timedelta(microseconds=1)
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - counts local times, too
_FIRST, _LAST = -62_135_596_800_000_000, 253_402_300_799_999_999
"""Microseconds of the first and the last instant of the years 1 to 9999."""
_PER_UNIT = {"s": 1_000_000, "ms": 1_000, "us": 1}


def from_local(local: pa.Array, zone: str) -> pa.Array:
    """Local times of a zone as instants; null where the zone skips the time or has it twice.

    Args:
        local: Times without a zone, in microseconds.
        zone: The zone.
    """
    if zone == "UTC":
        return local.cast(INSTANT)
    tz = ZoneInfo(zone)

    def offset(at: datetime) -> timedelta | None:
        first, second = (at.replace(tzinfo=tz, fold=fold).utcoffset() for fold in (0, 1))
        return first if first == second else None

    return _shifted(local, offset, -1).cast(INSTANT)


def to_local(instants: pa.Array, zone: str) -> pa.Array:
    """Instants as local times of a zone, in microseconds; null where the year would be none of 1 to 9999."""
    if zone == "UTC":
        return instants.cast(pa.int64()).cast(_LOCAL)
    tz = ZoneInfo(zone)

    def offset(at: datetime) -> timedelta | None:
        try:
            return at.replace(tzinfo=UTC).astimezone(tz).utcoffset()
        except OverflowError:
            return None

    return _shifted(instants, offset, 1)


def from_stored(values: pa.Array, zone: str) -> pa.Array:
    """Times of any unit as instants; null where there is none: too fine, too large, or no time of the zone.

    Args:
        values: Times with or without a zone.
        zone: Zone of those without.
    """
    count, unit = values.cast(pa.int64()), values.type.unit
    if unit == "ns":
        whole = pc.divide(pc.subtract(count, _rest(count, 1000)), 1000)
        micros = pc.if_else(pc.equal(_rest(count, 1000), 0), whole, None)
    else:
        per_unit = _PER_UNIT[unit]
        low, high = _FIRST // per_unit, _LAST // per_unit
        inside = pc.and_(pc.greater_equal(count, low), pc.less_equal(count, high))
        micros = pc.multiply(pc.if_else(inside, count, None), per_unit)
    if values.type.tz is not None:
        return micros.cast(INSTANT)
    return from_local(micros.cast(_LOCAL), zone)


def _shifted(
    times: pa.Array, offset: Callable[[datetime], timedelta | None], sign: int
) -> pa.Array:
    micros = times.cast(pa.int64())
    minutes = pc.divide(pc.subtract(micros, _rest(micros, _MINUTE)), _MINUTE).dictionary_encode()
    distinct = [_micros(offset, minute) for minute in minutes.dictionary.to_pylist()]
    offsets = pa.array(distinct, pa.int64()).take(minutes.indices)
    return pc.add(micros, pc.multiply(offsets, sign)).cast(_LOCAL)


def _micros(offset: Callable[[datetime], timedelta | None], minute: int) -> int | None:
    try:
        delta = offset(_EPOCH + timedelta(minutes=minute))
    except OverflowError:
        return None
    return None if delta is None else delta // timedelta(microseconds=1)


def _rest(values: pa.Array, by: int) -> pa.Array:
    """Remainder that is never negative."""
    rest = pc.subtract(values, pc.multiply(pc.divide(values, by), by))
    return pc.if_else(pc.less(rest, 0), pc.add(rest, by), rest)
