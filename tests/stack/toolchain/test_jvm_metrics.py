"""Where the agent is loaded that tells a JVM's metrics, and what keeps it from being."""

from __future__ import annotations

import re
import socket
from pathlib import Path

import pytest

from lakeshelf.errors import ConfigurationError
from lakeshelf.settings import load_settings
from lakeshelf.stack.toolchain import class_data, jvm_metrics

PORT = 19_410
"""Below those that brokers beside this test choose."""


def test_without_a_port_nothing_is_loaded(tmp_path: Path) -> None:
    settings = load_settings(lake_root=tmp_path)
    assert [jvm_metrics.option(settings, part) for part in jvm_metrics.PARTS] == ["", ""]


@pytest.mark.parametrize(("host", "shown"), [("127.0.0.1", "127.0.0.1"), ("::1", "[::1]")])
def test_each_jvm_has_a_port_and_rules_of_its_own(tmp_path: Path, host: str, shown: str) -> None:
    settings = load_settings(lake_root=tmp_path, jvm_metrics_port=PORT, telemetry_host=host)
    for place, part in enumerate(jvm_metrics.PARTS):
        option = jvm_metrics.option(settings, part)
        assert f"={shown}:{PORT + place}:" in option
        jar, rules = re.fullmatch(r"-javaagent:(\S+\.jar)=\S+:(/\S+)", option).groups()  # type: ignore[union-attr]
        assert Path(jar).is_file()
        assert Path(rules).name == f"{part}.yml"
        assert Path(rules).is_file()


def test_a_port_that_is_taken_is_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        settings = load_settings(lake_root=tmp_path, jvm_metrics_port=port)
        with pytest.raises(ConfigurationError, match=f"at port {port}: another process") as refused:
            jvm_metrics.option(settings, "kafka")
    assert "LAKESHELF_JVM_METRICS_PORT" in str(refused.value.hint)


@pytest.mark.parametrize("name", ["a b", "a=b", 'a"b'])
def test_a_path_that_the_jvm_would_cut_is_told(tmp_path: Path, name: str) -> None:
    home = tmp_path / name
    home.symlink_to(load_settings().home)
    settings = load_settings(
        lake_root=tmp_path, home=home, cache_dir=load_settings().cache_dir, jvm_metrics_port=PORT
    )
    with pytest.raises(ConfigurationError, match=r"takes no agent with .*kafka\.yml"):
        jvm_metrics.option(settings, "kafka")


def test_a_jvm_with_an_agent_makes_no_class_data(tmp_path: Path) -> None:
    """It would not start: "Must enable AllowArchivingWithJavaAgent"."""
    settings = load_settings(lake_root=tmp_path, cache_dir=tmp_path)
    assert "ArchiveClassesAtExit" in class_data.used_or_made(settings, "a.jar")
    watched = load_settings(lake_root=tmp_path, cache_dir=tmp_path, jvm_metrics_port=PORT)
    assert class_data.used_or_made(watched, "a.jar") == ""
