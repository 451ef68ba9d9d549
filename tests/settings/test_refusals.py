"""What is said of a setting that cannot be shows no secret, and no text gets as far as a client that cannot hold it."""

from __future__ import annotations

import traceback
from pathlib import Path

import pytest
from pydantic import SecretStr

from lakeshelf.errors import ConfigurationError
from lakeshelf.settings import Settings, load_settings, places

SECRETS = [n for n, f in Settings.model_fields.items() if "SecretStr" in str(f.annotation)]


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The settings file in force."""
    path = tmp_path / "lakeshelf.toml"
    path.touch()
    monkeypatch.setenv("LAKESHELF_CONFIG", str(path))
    return path


def refusal() -> str:
    with pytest.raises(ConfigurationError) as refused:
        load_settings()
    assert "271828" not in "".join(traceback.format_exception(refused.value))
    return str(refused.value)


@pytest.mark.parametrize("name", SECRETS)
@pytest.mark.parametrize("value", ["271828", '["271828"]', '{a = "271828"}'])
def test_a_secret_of_another_type_is_refused_and_not_shown(
    file: Path, name: str, value: str
) -> None:
    file.write_text(f"{name} = {value}\n")
    assert f"setting {name}: " in refusal()
    assert str(file) in refusal()


def test_a_misspelt_name_may_be_that_of_a_secret(file: Path) -> None:
    file.write_text('kafka_pasword = "271828"\n')
    assert "setting kafka_pasword is none that there is; did you mean kafka_password?" in refusal()


def test_other_values_are_shown(file: Path) -> None:
    file.write_text('committer = "nobody"\n')
    assert "setting committer = 'nobody'" in refusal()


def test_secrets_are_known_by_their_type() -> None:
    assert "kafka_password" in SECRETS
    assert isinstance(load_settings(kafka_password="a").kafka_password, SecretStr)


@pytest.mark.parametrize("name", ["kafka_password", "kafka_password_file", "openlineage_namespace"])
def test_a_text_with_a_nul_is_refused(file: Path, name: str) -> None:
    file.write_text(f'{name} = "271828\\u0000"\n')
    assert refusal() == f"setting {name} holds a NUL; write it anew"


@pytest.mark.parametrize("name", ["bootstrap_servers", "kafka_username", "kafka_password"])
def test_a_text_that_is_no_utf_8_is_refused_and_a_place_is_not(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("LAKESHELF_STATE_DIR", "/tmp/\udcff")
    load_settings()
    monkeypatch.setenv(f"LAKESHELF_{name.upper()}", "271828\udcff")
    assert refusal() == f"setting {name} is no UTF-8 text; write it anew"


def test_a_kafka_without_a_name_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The embedded broker in its place would take what is meant for another."""
    monkeypatch.setenv("LAKESHELF_BOOTSTRAP_SERVERS", "")
    assert "LAKESHELF_BOOTSTRAP_SERVERS" in refusal()


WEB = [n for n, f in Settings.model_fields.items() if places.Web in f.metadata]
UNREACHABLE = (
    "http://h:port", "https://h:99999", "http://[::1", "http://a b", "http://h:0", "http://:80",
)  # fmt: skip


def test_every_setting_that_is_an_address_of_http_is_known_as_one() -> None:
    fields = Settings.model_fields.items()
    patterns = {
        n for n, f in fields if "https?" in str(f.metadata) or "http://[^" in str(f.metadata)
    }
    assert patterns <= set(WEB)
    assert "openlineage_url" in patterns


@pytest.mark.parametrize("name", WEB)
def test_an_address_that_no_client_can_call_is_refused(name: str) -> None:
    for address in UNREACHABLE:
        with pytest.raises(ConfigurationError, match=f"setting {name} = "):
            load_settings(**{name: address})
    assert getattr(load_settings(**{name: "http://[::1]:80"}), name) == "http://[::1]:80"


@pytest.mark.parametrize("name", ["kafka_token_url", "maven_repository"])
def test_a_password_in_an_address_that_is_refused_is_not_shown(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(f"LAKESHELF_{name.upper()}", "https://ann:271828@host:port/x")
    assert "https://***@host:port/x" in refusal()


@pytest.mark.parametrize("name", ["openlineage_file", "kafka_cert_file", "kafka_key_file"])
def test_a_file_without_a_name_is_not_the_folder_in_which_somebody_stands(name: str) -> None:
    with pytest.raises(ConfigurationError, match=f"setting {name} = '': .* a place has a name"):
        load_settings(**{name: ""})


def test_a_token_that_says_nothing_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKESHELF_API_TOKEN", "")
    assert load_settings().api_token is None


@pytest.mark.parametrize("name", ["broker_listen", "broker_advertised"])
def test_a_port_that_cannot_be_is_refused(name: str) -> None:
    for port in ("0", "65536", "99999"):
        with pytest.raises(ConfigurationError, match="its port cannot be"):
            load_settings(**{name: f"host:{port}"})
    load_settings(**{name: "[::]:65535"})
