"""`init` writes a project that `check` finds in order, and whose example runs."""

from __future__ import annotations

import json
import stat

import pytest


@pytest.mark.slow
def test_a_new_project_is_in_order_and_is_found_from_below(lakeshelf, project, monkeypatch):
    checked = lakeshelf("check", "--json")
    told = json.loads(checked.out)
    assert [c for c in told["checks"] if not c["ok"]] == []
    assert any(str(project / "lakeshelf.toml") in c["message"] for c in told["checks"])
    monkeypatch.chdir(project / "lake" / "bronze")
    assert json.loads(lakeshelf("config", "--json").out)["lake_root"] == str(project / "lake")


def test_the_example_of_a_project_loads(lakeshelf, project):
    assert lakeshelf("files", "scan", "--settle", "0").code == 0
    statement = (
        "SELECT sum(units)::BIGINT AS units FROM silver.deliveries WHERE supplier = 'North Dairy'"
    )
    assert json.loads(lakeshelf("sql", statement, "--json").out) == [{"units": 336}]


def test_secrets_are_new_and_for_their_owner_alone(lakeshelf, project, tmp_path):
    lakeshelf("init", tmp_path / "other")
    ours, theirs = (f / "compose.env" for f in (project, tmp_path / "other"))
    assert ours.read_text() != theirs.read_text()
    assert stat.S_IMODE(ours.stat().st_mode) == 0o600


def test_nothing_is_overwritten_without_force(lakeshelf, project):
    (project / "lakeshelf.toml").write_text("simulation_seed = 7\n")
    (project / "README.md").unlink()
    refused = lakeshelf("init", project)
    assert refused.code == 2
    assert "--force" in refused.error
    assert (project / "lakeshelf.toml").read_text() == "simulation_seed = 7\n"
    assert not (project / "README.md").exists()
    assert lakeshelf("init", project, "--force").code == 0
    assert "seed" not in (project / "lakeshelf.toml").read_text()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "content", "named"),
    [
        ("compose.env", "LAKESHELF_COMITTER=driver\n", "LAKESHELF_COMITTER"),
        ("compose.env", "LAKESHELF_COMMITTER=nobody\n", "nobody"),
        ("lake/bronze/deliveries/_dataset.toml", "colour = 'red'\n", "colour"),
    ],
)
def test_what_cannot_be_is_found(lakeshelf, project, file, content, named):
    (project / file).write_text(content)
    checked = lakeshelf("check")
    assert checked.code == 1
    assert any(line.startswith("bad") and named in line for line in checked.out.splitlines())


@pytest.mark.slow
def test_a_secret_that_others_can_read_is_found(lakeshelf, project):
    (project / "compose.env").chmod(0o644)
    assert "`chmod 600" in lakeshelf("check").out


def test_nobody_is_sent_to_the_folder_where_they_are(lakeshelf, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert lakeshelf("init", ".").out.splitlines()[-1] == "Next: `lakeshelf up`"
