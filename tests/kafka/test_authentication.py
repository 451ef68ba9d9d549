"""What settings say of Kafka's security is what librdkafka and Java are given, or refused in one line."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from lakeshelf.errors import ConfigurationError
from lakeshelf.kafka.authentication import authentication, java_client, secrets
from lakeshelf.secret_files import LARGEST
from lakeshelf.settings import Settings, load_settings

USER = {"kafka_username": "ann", "kafka_password": "open-sesame"}
TOKEN = {"kafka_mechanism": "OAUTHBEARER", "kafka_token_url": "https://id.example/token"}
WITHOUT_TOKEN = {"kafka_mechanism": "PLAIN", "kafka_token_url": None}
CERTIFICATE = "-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----"
KEY = "-----BEGIN PRIVATE KEY-----\nMIG\n-----END PRIVATE KEY-----"


@pytest.fixture
def file(tmp_path: Path):
    """Makes files of secrets."""

    def made(content: bytes | str, mode: int = 0o600, name: str = "secret") -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        path.chmod(mode)
        return path

    return made


def others(servers: str = "kafka.example:9093", **options: object) -> Settings:
    return load_settings(bootstrap_servers=servers, **options)


def test_without_a_user_and_a_certificate_nothing_is_said():
    assert authentication(others()) == {}
    assert java_client({"bootstrap.servers": "a:1", "log_level": "0"}) == {
        "bootstrap.servers": "a:1"
    }


def test_a_user_is_proven_over_tls_unless_something_else_is_said():
    assert authentication(others(**USER)) == {
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": "ann",
        "sasl.password": "open-sesame",
    }
    plain = authentication(others(kafka_mechanism="PLAIN", **USER))
    assert "plain.PlainLoginModule" in java_client(plain)["sasl.jaas.config"]


def test_files_of_tls_go_to_both_clients(file):
    ca, own, key = (
        file(t, name=n) for t, n in ((CERTIFICATE, "a"), (CERTIFICATE, "b"), (KEY, "c"))
    )
    options = authentication(others(kafka_ca_file=ca, kafka_cert_file=own, kafka_key_file=key))
    assert options == {
        "security.protocol": "SSL",
        "ssl.ca.location": str(ca),
        "ssl.certificate.location": str(own),
        "ssl.key.location": str(key),
    }
    assert java_client(options) == {
        "security.protocol": "SSL",
        "ssl.truststore.type": "PEM",
        "ssl.truststore.certificates": CERTIFICATE,
        "ssl.keystore.type": "PEM",
        "ssl.keystore.certificate.chain": CERTIFICATE,
        "ssl.keystore.key": KEY,
    }


def test_a_key_beside_certificates_is_no_part_of_them(file):
    both = file(f"{KEY}\n{CERTIFICATE}\n{CERTIFICATE}\n")
    java = java_client(authentication(others(kafka_cert_file=both, kafka_key_file=both)))
    assert java["ssl.keystore.certificate.chain"] == f"{CERTIFICATE}\n{CERTIFICATE}"
    assert java["ssl.keystore.key"] == KEY


def test_tokens_are_fetched_by_both_clients():
    options = authentication(others(**TOKEN, **USER))
    java = java_client(options)
    assert options["sasl.oauthbearer.token.endpoint.url"] == "https://id.example/token"
    assert java["sasl.oauthbearer.token.endpoint.url"] == "https://id.example/token"
    assert 'clientId="ann" clientSecret="open-sesame";' in java["sasl.jaas.config"]


@pytest.mark.parametrize("blank", [" ", "\t", "\n", "\x1f"])
@pytest.mark.parametrize("place", ["{blank}{value}", "{value}{blank}"])
@pytest.mark.parametrize("name", ["kafka_username", "kafka_password", "kafka_password_file"])
def test_of_tokens_nothing_is_taken_that_one_of_the_clients_would_trim(file, name, place, blank):
    """Java trims both, librdkafka at the left: the provider would be asked with another secret."""
    value = place.format(blank=blank, value="open-sesame")
    in_file = name == "kafka_password_file"
    chosen = {**TOKEN, **USER, name: file(f"{value}\n") if in_file else value}
    if in_file:
        del chosen["kafka_password"]
    with pytest.raises(ConfigurationError, match="begins or ends with a blank") as refused:
        authentication(others(**chosen))
    assert name in str(refused.value)
    assert "\n" not in str(refused.value)
    assert name == "kafka_username" or "open-sesame" not in str(refused.value)
    assert authentication(others(**{**chosen, **WITHOUT_TOKEN}))["sasl.mechanism"] == "PLAIN"


@pytest.mark.parametrize(
    ("content", "password"),
    [
        ("a\n", "a"),
        ("a\r\n", "a"),
        ("a\n\n", "a\n"),
        (" a ", " a "),
        ("ä\\", "ä\\"),
        ("\ufeffa\n", "a"),
    ],
)
def test_a_file_of_a_password_loses_one_line_break_and_nothing_else(file, content, password):
    path = file(content)
    chosen = others(kafka_username="ann", kafka_password_file=path)
    assert authentication(chosen)["sasl.password"] == password
    assert secrets(chosen)[0] == password


@pytest.mark.parametrize(
    ("content", "mode", "problem"),
    [
        ("", 0o600, "the file is empty"),
        ("\n", 0o600, "the file is empty"),
        (b"\xff", 0o600, "the file is no UTF-8 text"),
        ("a\0b", 0o600, "the file is no text: it holds a NUL"),
        ("a".encode("utf-16-le"), 0o600, "the file is no text: it holds a NUL"),
        ("\ufeff\n", 0o600, "the file is empty"),
        ("a" * (LARGEST + 1), 0o600, f"the file is larger than {LARGEST} bytes"),
    ],
)
def test_a_file_that_is_no_secret_is_refused_in_one_line(file, content, mode, problem):
    path = file(content, mode)
    chosen = others(kafka_username="ann", kafka_password_file=path)
    with pytest.raises(ConfigurationError) as refused:
        authentication(chosen)
    assert f"setting kafka_password_file = {path}: {problem}; " in str(refused.value)
    assert "\n" not in str(refused.value)
    assert secrets(chosen) == []


@pytest.fixture
def tree() -> Iterator[Path]:
    """A folder that everybody may enter, as pytest's own are not, with `above/secrets/secret` and two links to it."""
    with TemporaryDirectory(dir="/tmp") as place:
        root = Path(place)
        (folder := root / "above" / "secrets").mkdir(parents=True)
        (folder / "secret").write_text("sesame")
        (root / "closed").mkdir()
        for link in (root / "link", root / "closed" / "link"):
            link.symlink_to(folder / "secret")
        for path in (root, *(each for each in root.rglob("*") if not each.is_symlink())):
            path.chmod(0o755)
        (root / "closed").chmod(0o700)
        yield root


FILES = ("above/secrets/secret", "link", "closed/link")


@pytest.mark.parametrize("name", FILES)
def test_a_secret_that_everybody_may_read_is_refused_wherever_a_link_to_it_is(tree, name):
    with pytest.raises(ConfigurationError, match="can be read by everybody; run `chmod o= "):
        authentication(others(kafka_username="ann", kafka_password_file=tree / name))


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("folder", ["above", "above/secrets"])
def test_a_secret_in_a_folder_that_others_cannot_enter_is_not_read_by_them(tree, folder, name):
    (tree / folder).chmod(0o700)
    chosen = others(kafka_username="ann", kafka_password_file=tree / name)
    assert authentication(chosen)["sasl.password"] == "sesame"


@pytest.mark.timeout(60)
def test_a_pipe_and_a_device_are_refused_at_once(tmp_path: Path):
    """Nobody writes into the pipe, and a device such as this one never ends."""
    os.mkfifo(tmp_path / "pipe", 0o600)
    for path in (tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(ConfigurationError, match="is a pipe or a device"):
            authentication(others(kafka_username="ann", kafka_password_file=path))


def test_a_password_that_says_nothing_is_none():
    with pytest.raises(ConfigurationError, match="needs kafka_username, and kafka_password_file"):
        authentication(others(kafka_username="ann", kafka_password=""))


def test_a_file_that_is_not_there_and_a_key_that_java_cannot_read_are_refused(file, tmp_path: Path):
    with pytest.raises(ConfigurationError, match=r"kafka_ca_file .* cannot be read: No such file"):
        authentication(others(kafka_ca_file=tmp_path / "none"))
    own = {"kafka_cert_file": file(CERTIFICATE, name="own")}
    old = file("-----BEGIN RSA PRIVATE KEY-----\n")
    with pytest.raises(ConfigurationError, match=r"no unencrypted PKCS#8 key; run `openssl pkcs8"):
        authentication(others(kafka_key_file=old, **own))


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"kafka_security": "sasl_plaintext", **USER}, "show the password on the way"),
        ({"kafka_security": "plaintext", **USER}, "no use for kafka_username = ann"),
        ({"kafka_security": "plaintext", "kafka_ca_file": "a"}, "no use for kafka_ca_file"),
        ({"kafka_security": "sasl_tls"}, "needs kafka_username"),
        ({"kafka_username": "ann"}, "needs kafka_username, and kafka_password_file"),
        ({"kafka_cert_file": "a"}, "only one is set"),
        ({"kafka_password_file": "a", **USER}, "are both set"),
        ({"kafka_mechanism": "OAUTHBEARER", **USER}, "kafka_token_url do not go together"),
        ({"kafka_token_url": "https://id.example/", **USER}, "kafka_token_url do not go together"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(options, problem):
    with pytest.raises(ConfigurationError) as refused:
        authentication(others(**options))
    assert problem in str(refused.value)
    assert "open-sesame" not in str(refused.value)


@pytest.mark.parametrize("servers", ["localhost:1", "127.0.0.1:1,[::1]:2"])
def test_without_tls_a_user_is_proven_on_this_machine_alone(servers):
    chosen = {"kafka_security": "sasl_plaintext", **USER}
    assert authentication(others(servers, **chosen))["security.protocol"] == "SASL_PLAINTEXT"
    for mechanism, far in (("PLAIN", ""), ("SCRAM-SHA-512", ",kafka.example:1")):
        with pytest.raises(ConfigurationError):
            authentication(others(servers + far, kafka_mechanism=mechanism, **chosen))
