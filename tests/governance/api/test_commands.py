"""Store staff and reviewers do the whole life of a change by commands alone."""

from __future__ import annotations

import json
import os
import re
import shlex
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from lakeshelf.cli.governed.policies import overruling, row_of, submitted
from lakeshelf.cli.shop import policies
from lakeshelf.contracts import CATALOG, arrow
from lakeshelf.errors import ConfigurationError
from lakeshelf.governance.client import Client, Dataset
from lakeshelf.governance.errors import GovernanceError
from lakeshelf.governance.services.context import Context
from lakeshelf.settings import load_settings
from lakeshelf.shop.policies import PolicyChange
from lakeshelf.stack.machine.processes import started_at
from tests.conftest import Run
from tests.governance.api.people import issue
from tests.governance.api.shell import Shell, insert, merge, rows, shell
from tests.governance.services.acting import ROW
from tests.governance.services.conftest import DATASET, PROJECT

__all__ = ["shell"]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def test_a_change_lives_from_edit_to_revert_by_commands(shell: Shell) -> None:
    insert(shell, "S1", "S2")
    shown = shell("ann", "data", "edit", DATASET, "S1", "min_qty=7", "threshold_pct=25").out
    assert "min_qty" in shown
    assert f"data preview {DATASET}" in shown
    previewed = shell("ann", "data", "preview", DATASET).out
    assert "cells 2" in previewed
    assert ["S1", "min_qty", "set", "1", "7"] in [line.split() for line in previewed.splitlines()]
    shell("ann", "data", "delete", DATASET, "S2")
    submitted = shell("ann", "data", "submit", DATASET, "--title", "Seven")
    number = int(submitted.out.split()[1])
    assert f"cr show {number}" in submitted.out
    own = shell("ann", "cr", "approve", number, "--yes", code=1)
    assert "author" in own.error
    shown = shell("ben", "cr", "show", number).out
    assert "Seven" in shown
    assert "S2" in shown
    merge(shell, number)
    assert rows(shell)["S1"]["min_qty"] == 7
    assert "S2" not in rows(shell)
    (line, *_) = shell.json("vic", "data", "history", DATASET, "S1")
    assert line["by"] == "ann"
    assert line["approved by"] == "ben"
    assert shell.json("vic", "data", "blame", DATASET, "S1")["min_qty"]["change_request"] == number
    back = shell.json("cat_", "cr", "revert", number)["request"]["number"]
    merge(shell, back)
    assert rows(shell)["S1"]["min_qty"] == 1


def test_what_rules_refuse_is_listed_and_leaves_nothing_open(shell: Shell) -> None:
    insert(shell, "S1", "S2")
    for shelf in ("S1", "S2"):
        shell("ann", "data", "edit", DATASET, shelf, "threshold_pct=200")
    refused = shell("ann", "data", "submit", DATASET, "--title", "too much", code=1)
    assert "S1" in refused.out
    assert "S2" in refused.out
    listed = {one["CR"]: one["state"] for one in shell.json("vic", "cr", "list")}
    assert listed[2] == "withdrawn"
    for shelf in ("S1", "S2"):
        shell("ann", "data", "edit", DATASET, shelf, "threshold_pct=20")
    assert shell.json("ann", "data", "submit", DATASET, "--title", "less")["request"]["number"] == 3
    shell("ann", "data", "edit", DATASET, "S1", "min_qty=1")
    assert (
        "no cell is changed"
        in shell("ann", "data", "submit", DATASET, "--title", "-", code=1).error
    )
    assert len(shell.json("vic", "cr", "list")) == 3


def test_a_request_says_what_can_be_done_with_it_and_what_it_did(shell: Shell) -> None:
    insert(shell, "S1")
    shell("ann", "data", "edit", DATASET, "S1", "min_qty=7")
    shell("ann", "data", "submit", DATASET, "--title", "Seven")
    shown = shell("ben", "cr", "show", 2).out
    assert "you can: comment, approve, reject, reject-cells" in shown
    assert "it is pending_review" not in shown
    merge(shell, 2)
    merged = shell("vic", "cr", "show", 2).out.splitlines()
    assert "merged as version 2 by ben" in merged[0]
    (line,) = (one.split() for one in merged if one.startswith("S1"))
    assert line == ["S1", "min_qty", "set", "1", "7"]
    inserted = shell("vic", "cr", "show", 1).out
    assert "min_qty=1" in inserted


def test_conflicts_are_shown_and_settled_by_commands(shell: Shell) -> None:
    insert(shell, "S1")
    for user, value in (("ann", 7), ("cat_", 9)):
        shell(user, "data", "edit", DATASET, "S1", f"min_qty={value}")
    first, second = (
        shell.json(user, "data", "submit", DATASET, "--title", user)["request"]["number"]
        for user in ("ann", "cat_")
    )
    shell("ben", "cr", "approve", second, "--yes")
    merge(shell, first)
    refused = shell("ben", "cr", "merge", second, "--yes", code=1)
    assert "changed by others" in refused.error
    assert "S1" in refused.out
    assert "min_qty" in refused.out
    shown = shell("ben", "cr", "show", second).out
    assert "CONFLICT" in shown
    assert "1 conflict is in the way of a merge" in shown
    assert f"cr resolve {second} S1.min_qty=staged" in shown
    settled = shell("cat_", "cr", "resolve", second, "S1.min_qty=staged").out
    assert f"none is left: CR {second} waits to be approved again" in settled
    assert "Who may: ann, ben." in settled
    merge(shell, second)
    assert rows(shell)["S1"]["min_qty"] == 9
    assert "conflict" not in shell("ben", "cr", "show", second).out


def test_whoever_settles_or_approves_a_conflict_is_told_what_is_left(shell: Shell) -> None:
    insert(shell, "S1", "S2")
    for user, value in (("ann", 7), ("cat_", 9)):
        for shelf in ("S1", "S2"):
            shell(user, "data", "edit", DATASET, shelf, f"min_qty={value}")
    first, second = (
        shell.json(user, "data", "submit", DATASET, "--title", user)["request"]["number"]
        for user in ("ann", "cat_")
    )
    merge(shell, first)
    approved = shell("ben", "cr", "approve", second, "--yes").out
    assert "2 conflicts are in the way of a merge" in approved
    assert "cr merge" not in approved
    settled = shell("cat_", "cr", "resolve", second, "S1.min_qty=staged").out
    assert "1 conflict is settled." in settled
    assert "1 conflict is in the way of a merge; what is settled is approved again." in settled
    assert f"`lakeshelf cr resolve {second} S2.min_qty=staged" in settled
    assert "none is left" in shell("cat_", "cr", "resolve", second, "--all", "main").out


def test_cells_are_rejected_and_requests_withdrawn_by_commands(shell: Shell) -> None:
    insert(shell, "S1")
    shell("ann", "data", "edit", DATASET, "S1", "min_qty=7", "target_pct=90")
    number = shell.json("ann", "data", "submit", DATASET, "--title", "two")["request"]["number"]
    shell("ben", "cr", "reject-cells", number, "S1.min_qty", "--comment", "too many")
    shown = shell("vic", "cr", "show", number).out
    assert "ben rejects cells of revision 1 too many" in shown
    merge(shell, number)
    assert (rows(shell)["S1"]["min_qty"], rows(shell)["S1"]["target_pct"]) == (1, 90)
    shell("ann", "data", "edit", DATASET, "S1", "min_qty=8")
    later = shell.json("ann", "data", "submit", DATASET, "--title", "again")["request"]["number"]
    assert "withdrawn" in shell("ann", "cr", "withdraw", later).out
    states = {one["CR"]: one["state"] for one in shell.json("vic", "cr", "list")}
    assert states[later] == "withdrawn"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("data", "edit", DATASET, "S1", "colour=red"), "there is no column 'colour'"),
        (("data", "edit", DATASET, "S1", "min_qty"), "'min_qty' sets nothing"),
        (("data", "insert", DATASET, "S1", "min_qty=1.5"), "min_qty = "),
        (("data", "edit", DATASET, "none", "min_qty=2"), "none"),
        (("data", "show", "nothing"), "nothing"),
        (("data", "preview", DATASET), "you have no edits"),
        (("cr", "show", 99), "99"),
        (("cr", "resolve", 99, "--all", "main"), "99"),
    ],
)
def test_what_cannot_be_done_is_told_in_one_line(
    shell: Shell, words: tuple[object, ...], expected: str
) -> None:
    failed = shell._lakeshelf
    shell("ann", "data", "list")
    done = failed(*words)
    assert done.code in (1, 2)
    assert expected in done.error


def test_whose_token_is_used_has_to_be_clear(lakeshelf: Run, lake: Path) -> None:
    lake.mkdir(parents=True)
    done = lakeshelf("data", "list")
    assert done.code == 2
    assert "whose token" in done.error
    done = lakeshelf("data", "list", "--as", "ann")
    assert done.code == 2
    assert "no token of ann" in done.error


def test_what_is_named_next_can_be_typed_by_the_same_person(
    shell: Shell, lakeshelf: Run, lake: Path, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    insert(shell, "S1")
    monkeypatch.delenv("LAKESHELF_API_TOKEN")
    tokens = lake / "_governance" / "tokens"
    tokens.mkdir(parents=True)
    for user in ("ann", "ben"):
        (tokens / user).write_text(issue(context, user, f"{user} at a shell"))

    def following(*words: str) -> str:
        done = lakeshelf(*words)
        assert done.code == 0, done.err
        (command,) = re.findall(r"Next: `lakeshelf ([^`]+)`", done.out)
        named = lakeshelf(*shlex.split(command))
        assert named.code == 0, named.err
        return command

    assert "preview" in following("data", "edit", DATASET, "S1", "min_qty=7", "--as", "ann")
    assert "cr show" in following("data", "submit", DATASET, "--title", "Seven", "--as", "ann")
    assert "cr show" in following("cr", "reject", "2", "--comment", "no", "--as", "ben")


def test_a_session_is_meant_only_if_no_other_has_edits(shell: Shell) -> None:
    insert(shell, "S1")
    shell("ann", "data", "edit", DATASET, "S1", "min_qty=7", "target_pct=90")
    number = shell.json("ann", "data", "submit", DATASET, "--title", "two")["request"]["number"]
    shell("ben", "cr", "reject", number, "--comment", "no")
    shell("ann", "data", "edit", DATASET, "S1", "min_qty=8")
    session = shell.json("ann", "cr", "take-up", number)["id"]
    for words in (("preview",), ("submit", "--title", "which"), ("discard", "--yes")):
        refused = shell("ann", "data", words[0], DATASET, *words[1:], code=2)
        assert "2 sessions with edits" in refused.error
        assert "(1 edit)" in refused.error
        assert "(2 edits)" in refused.error
        assert session in refused.error
    words = ("data", "submit", DATASET, "--title", "these", "--session", session)
    assert shell.json("ann", *words)["request"]["number"] == number
    unknown = shell("ann", "data", "preview", DATASET, "--session", session, code=2)
    assert "no session" in unknown.error
    assert "cells 1" in shell("ann", "data", "preview", DATASET).out


def test_an_api_that_starts_is_told_from_one_that_nobody_started(
    lakeshelf: Run, lake: Path
) -> None:
    tokens = lake / "_governance" / "tokens"
    tokens.mkdir(parents=True)
    (tokens / "ann").write_text("secret")
    assert "`lakeshelf up` starts it" in lakeshelf("data", "list").error
    stack = load_settings().stack_dir
    stack.mkdir(parents=True, exist_ok=True)
    living = {"pid": os.getpid(), "started": started_at(os.getpid()), "state": "running"}
    api = {"state": "starting", "restarts": 0, "error": ""}
    status = {**living, "governed": True, "parts": {"api": api}}
    (stack / "stack.json").write_text(json.dumps(status))
    refused = lakeshelf("data", "list").error
    assert "it is starting" in refused
    assert "try again" in refused


def test_no_control_character_of_data_reaches_a_terminal(shell: Shell) -> None:
    hostile = "S\x1b[31m1"
    words = [f"{name}={json.dumps(value)}" for name, value in ROW.items()]
    shell("ann", "data", "insert", DATASET, hostile, *words)
    number = shell.json("ann", "data", "submit", DATASET, "--title", "red \x1b[31m")["request"][
        "number"
    ]
    shell("ben", "cr", "comment", number, "see \x1b[2J", "--row", hostile)
    printed = [
        shell("ben", "cr", "list"),
        shell("ben", "cr", "show", number),
        shell("ben", "cr", "approve", number, "--yes"),
        shell("ben", "cr", "merge", number, "--yes"),
        shell("vic", "data", "show", DATASET),
        shell("vic", "data", "history", DATASET),
        shell("vic", "data", "blame", DATASET, hostile),
    ]
    assert not [one.out for one in printed if "\x1b" in one.out + one.err]
    assert "x1b[31m1" in printed[4].out


def test_a_list_that_comes_by_pages_is_whole(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    insert(shell, *(f"S{n}" for n in range(7)))
    for module in ("cells", "data", "requests"):
        monkeypatch.setattr(f"lakeshelf.cli.governed.{module}.PAGE", 3)
    changes = shell.json("vic", "data", "history", DATASET)
    assert len({(one["row"], one["column"]) for one in changes}) == len(changes) == 7 * 6
    assert len(shell.json("vic", "data", "diff", DATASET, 0, 1)) == 7
    cells = shell.json("vic", "cr", "show", 1)["diff"]
    assert sorted(one["row_id"] for one in cells) == [f"S{n}" for n in range(7)]
    assert {one["column"] for one in cells} == {None}
    assert len(shell.json("vic", "data", "show", DATASET)) == 7
    assert "2 of 42 changes" in shell("vic", "data", "history", DATASET, "--limit", 2).out


def test_a_policy_is_submitted_or_leaves_nothing_behind(context: Context, address: str) -> None:
    with Client(address, issue(context, "ann", "ann")) as api:
        dataset = dataset_of(api)
        refused = {"op": "set", "row_id": "S1", "column": "min_qty", "value": 4}
        with pytest.raises(ConfigurationError, match="S1"):
            submitted(dataset, [refused], "S1: min_qty 4")
        against_rules = {"op": "insert", "row_id": "S1", "value": {**ROW, "min_qty": -1}}
        with pytest.raises(GovernanceError):
            submitted(dataset, [against_rules], "S1: min_qty -1")
        assert dataset.sessions() == []
        made = submitted(dataset, [{**against_rules, "value": ROW}], "S1: min_qty 1")
        assert made["request"]["title"] == "S1: min_qty 1"
        assert made["may_approve"] == ["ben", "cat_"]
        assert row_of(dataset, "S1") is None
    with Client(address, issue(context, "ben", "ben")) as api:
        request = api.project(PROJECT).request(made["request"]["number"])
        request.approve(made["request"]["content_hash"])
        request.merge(made["request"]["content_hash"])
        assert (row_of(dataset_of(api), "S1") or {})["min_qty"] == 1


def test_a_policy_past_a_dataset_that_is_not_served_is_told_to_be_overruled(
    shell: Shell,
    context: Context,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    insert(shell, "S1")
    root = context.root
    assert overruling(root, sent_policy("S1")) == f"{PROJECT}/{DATASET}"
    assert overruling(root, sent_policy("S2")) is None
    assert overruling(root, replace(sent_policy("S1"), location="warehouse")) is None
    monkeypatch.setattr(policies, "_effect", lambda *_: {})
    settings = load_settings(lake_root=root.folder)
    for shelf, is_told in (("S1", True), ("S2", False)):
        capfd.readouterr()
        with pytest.raises(ConfigurationError, match="nothing was sent"):
            policies._send(settings, {}, sent_policy(shelf), False, False)
        said = f"{PROJECT}/{DATASET} has a policy of {shelf} and is not served now"
        assert (said in capfd.readouterr().out) == is_told


def sent_policy(shelf: str) -> PolicyChange:
    stamps = {"actor": "ann", "version": 7, "updated_at": datetime(2026, 3, 14, tzinfo=UTC)}
    message = {"shelf_id": shelf, **ROW, **stamps}
    known = arrow.schema(CATALOG.tables["staging/shelf_policies"].columns).empty_table()
    return PolicyChange("store", shelf, known, message)


def dataset_of(api: Client) -> Dataset:
    return api.project(PROJECT).dataset(DATASET)
