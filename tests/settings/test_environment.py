"""Variables that are settings, those that look like one, and those of others that have the name of one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakeshelf.errors import ConfigurationError
from lakeshelf.settings import Settings, load_settings
from lakeshelf.settings.environment import PREFIX, require_spelt

NAMES = sorted(name.upper() for name in Settings.model_fields)
OF_A_SERVICE = {
    "LAKESHELF_API_SERVICE_HOST": "10.0.0.7",
    "LAKESHELF_API_SERVICE_PORT": "8080",
    "LAKESHELF_API_SERVICE_PORT_HTTP": "8080",
    "LAKESHELF_API_PORT": "tcp://10.0.0.7:8080",
    "LAKESHELF_API_PORT_8080_TCP": "tcp://10.0.0.7:8080",
    "LAKESHELF_API_PORT_8080_TCP_ADDR": "10.0.0.7",
}
PLACES = ("LAKE_ROOT", "HOME", "PROJECT", "CACHE_DIR", "STATE_DIR", "KAFKA_CERT_FILE", "JAVA_HOME")


@given(st.sampled_from([name for name in NAMES if len(name) > 7]), st.data())
def test_a_setting_with_one_letter_left_out_is_refused_and_one_as_it_is_goes_through(
    name: str, data: st.DataObject
) -> None:
    require_spelt({PREFIX + name: ""}, Settings.model_fields)
    place = data.draw(st.integers(0, len(name) - 1))
    misspelt = PREFIX + name[:place] + name[place + 1 :]
    if misspelt.removeprefix(PREFIX) in NAMES:
        return
    with pytest.raises(ConfigurationError, match=misspelt) as refused:
        require_spelt({misspelt: "x"}, Settings.model_fields)
    assert refused.value.hint.startswith("did you mean LAKESHELF_")


@pytest.mark.parametrize(
    "name", ["LAKESHELF_TEST_EXAMPLES", "LAKESHELF_CRASH_AT", "LAKESHELF_CONFIG", "COMITTER"]
)
def test_what_is_far_from_every_setting_is_of_others(name: str) -> None:
    require_spelt({name: "x"}, Settings.model_fields)


def test_a_service_of_kubernetes_with_the_name_of_a_setting_is_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in OF_A_SERVICE.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("LAKESHELF_API_HOST", "0.0.0.0")
    settings = load_settings()
    assert (settings.api_port, settings.api_host) == (None, "0.0.0.0")
    monkeypatch.setenv("LAKESHELF_API_PORT", "8081")
    assert load_settings().api_port == 8081
    monkeypatch.setenv("LAKESHELF_API_PORT", OF_A_SERVICE["LAKESHELF_API_PORT"])
    monkeypatch.delenv("LAKESHELF_API_SERVICE_HOST")
    with pytest.raises(ConfigurationError, match=r"api_port = 'tcp://10\.0\.0\.7:8080'"):
        load_settings()


@pytest.mark.parametrize("name", PLACES)
def test_an_empty_place_is_refused_or_is_none_and_never_the_current_folder(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(PREFIX + name, "")
    with pytest.raises(ConfigurationError, match=f"(?i){name} = ''.*has a name") as refused:
        load_settings()
    assert PREFIX + name in str(refused.value.hint)
