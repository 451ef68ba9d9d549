"""`init compose` writes all secrets or none, and touches nothing of others."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

import pytest
import yaml

from lakeshelf.cli.platform import scaffolding, whole

HOME = Path(__file__).parents[3]
FILES = 9


@pytest.fixture
def secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder of the secrets of a checkout that has none yet."""
    shutil.copy(HOME / "docker-compose.yml", tmp_path)
    monkeypatch.setenv("LAKESHELF_HOME", str(tmp_path))
    return tmp_path / scaffolding.SECRETS


def rights(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("mask", [0o000, 0o077])
def test_whatever_the_mask_only_the_owner_enters_and_containers_read(lakeshelf, secrets, mask):
    before = os.umask(mask)
    try:
        assert lakeshelf("init", "compose").code == 0
    finally:
        os.umask(before)
    assert rights(secrets) == 0o700
    assert {rights(file) for file in secrets.iterdir()} == {0o644}
    assert len(list(secrets.iterdir())) == FILES


def test_what_is_there_stays_without_force(lakeshelf, secrets):
    lakeshelf("init", "compose")
    before = {file: file.read_bytes() for file in secrets.iterdir()}
    refused = lakeshelf("init", "compose")
    assert refused.code == 2
    assert "--force" in refused.error
    assert {file: file.read_bytes() for file in secrets.iterdir()} == before
    assert lakeshelf("init", "compose", "--force").code == 0
    assert (secrets / "kafka_password").read_bytes() != before[secrets / "kafka_password"]


@pytest.mark.parametrize("service", scaffolding.SERVICES)
def test_the_secrets_of_one_service_are_renewed_and_no_others(lakeshelf, secrets, service):
    lakeshelf("init", "compose")
    before = {file.name: file.read_bytes() for file in secrets.iterdir()}
    assert lakeshelf("init", "compose", "--renew", service).code == 0
    after = {file.name: file.read_bytes() for file in secrets.iterdir()}
    renewed = {name for name, content in after.items() if content != before[name]}
    assert after.keys() == before.keys()
    assert renewed == set(scaffolding.compose_secrets(service))
    assert rights(secrets) == 0o700


def test_every_secret_that_the_compose_file_asks_for_belongs_to_a_service() -> None:
    asked = yaml.safe_load((HOME / "docker-compose.yml").read_text())["secrets"]
    made = scaffolding.compose_secrets(*scaffolding.SERVICES)
    assert len(asked) == len(made)
    assert set(scaffolding.compose_files()) == {*made, "cluster.env", "compose.env"}


def test_what_was_never_made_is_not_renewed(lakeshelf, secrets):
    refused = lakeshelf("init", "compose", "--renew", "kafka")
    assert refused.code == 2
    assert "run `lakeshelf init compose`" in refused.error
    assert not secrets.exists()


def test_a_service_without_secrets_is_named_with_those_that_have_some(lakeshelf, secrets):
    lakeshelf("init", "compose")
    assert "did you mean kafka?" in lakeshelf("init", "compose", "--renew", "kafca").error
    refused = lakeshelf("init", "shop", "--renew", "kafka")
    assert refused.code == 2
    assert "init compose --renew" in refused.error


@pytest.mark.parametrize("kind", ["a file", "a link that leads nowhere"])
def test_what_stands_where_the_folder_should_be_is_left_alone(lakeshelf, secrets, kind):
    if kind == "a file":
        secrets.write_text("mine")
    else:
        secrets.symlink_to("nowhere")
    for force in ((), ("--force",)):
        refused = lakeshelf("init", "compose", *force)
        assert refused.code == 2
        assert f"`mv {secrets} {secrets}.old`" in refused.error
    assert secrets.is_symlink() or secrets.read_text() == "mine"


@pytest.mark.parametrize("is_link", [False, True])
def test_a_folder_that_others_use_is_not_closed_to_them(lakeshelf, secrets, tmp_path, is_link):
    folder = tmp_path / "ours" if is_link else secrets
    folder.mkdir()
    folder.chmod(0o755)
    (folder / "note").write_text("of somebody")
    if is_link:
        secrets.symlink_to(folder)
    refused = lakeshelf("init", "compose")
    assert refused.code == 2
    assert f"`chmod go= {secrets}`" in refused.error
    assert rights(folder) == 0o755
    assert [file.name for file in folder.iterdir()] == ["note"]
    folder.chmod(0o700)
    assert lakeshelf("init", "compose").code == 0
    assert (folder / "note").read_text() == "of somebody"


def test_what_cannot_be_replaced_leaves_all_as_it_was(lakeshelf, secrets):
    """Half of new secrets beside half of old ones: the broker would know another password than its clients."""
    lakeshelf("init", "compose")
    (secrets / "cluster.env").unlink()
    (secrets / "cluster.env").mkdir()
    before = (secrets / "kafka_password").read_text()
    refused = lakeshelf("init", "compose", "--force")
    assert refused.code == 2
    assert f"`mv {secrets}/cluster.env" in refused.error
    assert (secrets / "kafka_password").read_text() == before


def test_a_link_that_leads_nowhere_is_not_replaced_without_force(lakeshelf, secrets):
    secrets.mkdir(mode=0o700)
    (secrets / "kafka_password").symlink_to("/nowhere/vault")
    assert "kafka_password is there already" in lakeshelf("init", "compose").error
    assert (secrets / "kafka_password").is_symlink()


def test_a_compose_file_of_others_gets_no_secrets(lakeshelf, secrets):
    (secrets.parent / "docker-compose.yml").write_text("services: {}\n")
    refused = lakeshelf("init", "compose")
    assert refused.code == 2
    assert "LAKESHELF_HOME" in refused.error
    assert not secrets.exists()


def test_files_that_cannot_all_be_written_leave_nothing(tmp_path: Path) -> None:
    """What fails half way: here a name that is too long for any file."""
    folder = tmp_path / "a" / "shop"
    with pytest.raises(OSError, match="too long"):
        whole.place(folder, {Path("first"): "1", Path("n" * 300): "2"})
    assert list(tmp_path.iterdir()) == []


def test_a_project_is_written_whole_or_not_at_all(lakeshelf, tmp_path, monkeypatch):
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "spark-apps").touch()
    refused = lakeshelf("init", folder)
    assert refused.code == 2
    assert f"`mv {folder}/spark-apps" in refused.error
    assert [file.name for file in folder.iterdir()] == ["spark-apps"]
