from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from lakeshelf.errors import ToolchainError
from lakeshelf.settings import load_settings
from lakeshelf.stack.toolchain import java


def a_java(folder: Path, version: str) -> Path:
    """A Java home that tells its version the way JDKs do."""
    (folder / "bin").mkdir(parents=True)
    program = folder / "bin" / "java"
    program.write_text("#!/bin/sh\nexit 1\n")
    program.chmod(0o755)
    (folder / "release").write_text(f'JAVA_VERSION="{version}"\n')
    return folder


def test_configured_java_wins_over_java_home(tmp_path: Path) -> None:
    configured, other = a_java(tmp_path / "a", "21.0.1"), a_java(tmp_path / "b", "17.0.15")
    settings = load_settings(java_home=configured)

    found = java.find(settings, {"JAVA_HOME": str(other)})

    assert (found.home, found.version) == (configured, 21)


def test_java_home_that_is_too_old_is_passed_over_for_the_one_on_path(tmp_path: Path) -> None:
    old, new = a_java(tmp_path / "old", "1.8.0_442"), a_java(tmp_path / "new", "17")

    found = java.find(load_settings(), {"JAVA_HOME": str(old), "PATH": str(new / "bin")})

    assert found.home == new


def test_link_on_path_leads_to_its_home(tmp_path: Path) -> None:
    home = a_java(tmp_path / "jdk", "17.0.1")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "java").symlink_to(home / "bin" / "java")

    assert java.find(load_settings(), {"PATH": str(tmp_path / "bin")}).home == home


def test_configured_java_that_is_too_old_is_refused_with_its_version(tmp_path: Path) -> None:
    settings = load_settings(java_home=a_java(tmp_path, "11.0.2"))

    with pytest.raises(ToolchainError, match=r"is Java 11; point LAKESHELF_JAVA_HOME at Java 17"):
        java.find(settings, {})


def test_configured_folder_without_java_is_refused_with_its_path(tmp_path: Path) -> None:
    with pytest.raises(ToolchainError, match=str(tmp_path)):
        java.find(load_settings(java_home=tmp_path), {})


def test_machine_without_usable_java_says_where_it_looked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = a_java(tmp_path, "11.0.2")
    monkeypatch.setattr(java, "_bundled_runtime", lambda: None)

    with pytest.raises(ToolchainError, match=r"JAVA_HOME = .* \(Java 11\).*make setup"):
        java.find(load_settings(), {"JAVA_HOME": str(old)})


def test_program_that_names_no_version_does_not_count(tmp_path: Path) -> None:
    home = a_java(tmp_path, "17")
    (home / "release").unlink()

    assert java.inspect(home / "bin" / "java", "here") is None


@pytest.mark.slow
def test_bundled_java_starts_although_spark_asks_for_a_module_it_lacks(tmp_path: Path) -> None:
    found = java.find(load_settings(cache_dir=tmp_path / "a cache"), {"PATH": ""})
    command = [str(found.home / "bin" / "java"), java.ABSENT_MODULE, "-Dname=a b", "-version"]

    answer = subprocess.run(command, capture_output=True, text=True, check=True)

    assert found.version >= java.MINIMUM_VERSION
    assert f'"{found.version}' in answer.stderr


def test_launcher_passes_every_other_argument_unchanged(tmp_path: Path) -> None:
    program = tmp_path / "echo arguments"
    program.write_text('#!/bin/sh\nprintf "%s|" "$@"\n')
    program.chmod(0o755)
    launcher = tmp_path / "bin" / "java"
    java._write_launcher(launcher, program)

    said = subprocess.run(
        [str(launcher), "-a", java.ABSENT_MODULE, "b c", "", "$HOME", "-version"],
        capture_output=True,
        text=True,
        check=True,
    )

    assert said.stdout == "-a|b c||$HOME|-version|"
