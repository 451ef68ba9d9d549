"""Whatever a message is, it is judged; what is judged valid can be parsed."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from lakeshelf.contracts import CATALOG
from lakeshelf.contracts.validate import REASONS, check, parse

from .cases import encode, example


@given(st.binary(max_size=60))
def test_no_bytes_crash_the_validator(value: bytes) -> None:
    for topic in CATALOG.topics.values():
        refusal = check(topic, value)
        assert refusal is not None
        assert refusal.reason in REASONS


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**63) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)


@given(st.sampled_from(list(CATALOG.topics.values())), st.data())
def test_a_valid_message_can_always_be_parsed(topic: Any, data: Any) -> None:
    message = example(topic, data.draw(st.sampled_from(topic.event_types or (None,))))
    name = data.draw(st.sampled_from([field.name for field in topic.fields]))
    try:
        value = encode({**message, name: data.draw(JSON)})
    except TypeError:
        return
    if check(topic, value) is None:
        assert list(parse(topic, value)) == [field.name for field in topic.fields]
