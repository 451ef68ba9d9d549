"""The manifests for Kubernetes: valid by its schemas, whole, and the same processes as in the Compose file."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from lakeshelf.addresses import SECRET
from lakeshelf.forecast.demand.engine import BOUNDS
from lakeshelf.settings import Settings
from lakeshelf.telemetry.serving import PARTS
from tests.containers.test_compose_file import DEFAULT, ONCE, OURS, in_bytes

HOME = Path(__file__).parents[2]
FOLDER = HOME / "infra" / "kubernetes"
FILES = sorted(FOLDER.glob("*.yaml"))
OBJECTS: list[dict[str, Any]] = [
    one
    for file in FILES
    if file.name != "kustomization.yaml"
    for one in yaml.safe_load_all(file.read_text())
]
PORTS = {"jobs": "streams", "dataset-publisher": "followers"}
"""Container → its part, where the names differ."""


def pods() -> Iterator[tuple[str, dict[str, Any]]]:
    """Kind and pod of each workload."""
    for one in OBJECTS:
        if one["kind"] in {"Deployment", "Job"}:
            yield one["kind"], one["spec"]["template"]["spec"]


CONTAINERS = {
    container["name"]: (kind, container) for kind, pod in pods() for container in pod["containers"]
}
each_object = pytest.mark.parametrize(
    "manifest", OBJECTS, ids=lambda one: f"{one['kind']}-{one['metadata']['name']}"
)
each_container = pytest.mark.parametrize("name", CONTAINERS)


@each_object
def test_a_manifest_is_valid(manifest: dict[str, Any]) -> None:
    """No field is misspelt, by the schemas of a current Kubernetes."""
    kubernetes_validate.validate(manifest, kubernetes_validate.latest_version(), strict=True)


@pytest.mark.slow
def test_they_are_rendered_whole() -> None:
    """`kubectl` makes one stream of them; nothing is left out."""
    kubectl = Path(sys.executable).with_name("kubectl")
    done = subprocess.run(
        [kubectl, "kustomize", FOLDER], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert len(list(yaml.safe_load_all(done.stdout))) == len(OBJECTS)


def test_they_run_what_the_compose_file_runs() -> None:
    """The same commands under the same names; Kafka is somebody's own."""
    assert CONTAINERS.keys() == DEFAULT - {"kafka"}
    for name, (kind, container) in CONTAINERS.items():
        assert container["command"] == OURS[name]["command"]
        assert (kind == "Job") == (name in ONCE)


def test_forecasts_have_the_memory_that_they_may_take() -> None:
    """As in the Compose file."""
    limit = CONTAINERS["components"][1]["resources"]["limits"]["memory"]
    assert int(limit.removesuffix("Gi")) * 2**30 > in_bytes(BOUNDS.memory)


@each_container
def test_a_container_has_no_more_rights_than_it_needs(name: str) -> None:
    """It can change neither its image nor its rights, and has bounded memory."""
    container = CONTAINERS[name][1]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert container["resources"]["limits"]["memory"]


def test_a_pod_is_nobody_special() -> None:
    """It has the user of the image and no token of the cluster; who writes ends before the next begins."""
    for _, pod in pods():
        assert pod["securityContext"]["runAsUser"] == 10001
        assert pod["securityContext"]["runAsNonRoot"]
        assert not pod["automountServiceAccountToken"]
        assert not pod["enableServiceLinks"], "variables of services have names of settings"
        (secrets,) = (v["secret"] for v in pod["volumes"] if "secret" in v)
        assert secrets["defaultMode"] & 0o007 == 0
    for one in OBJECTS:
        if one["kind"] == "Deployment":
            assert (one["spec"]["replicas"], one["spec"]["strategy"]["type"]) == (1, "Recreate")


@pytest.mark.parametrize("name", [n for n, (kind, _) in CONTAINERS.items() if kind == "Deployment"])
def test_it_is_asked_where_it_tells_its_health(name: str) -> None:
    """The port of the part, as one setting gives it."""
    settings = next(one for one in OBJECTS if one["kind"] == "ConfigMap")["data"]
    port = int(settings["LAKESHELF_TELEMETRY_PORT"]) + PARTS.index(PORTS.get(name, name))
    container = CONTAINERS[name][1]
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert container[probe]["httpGet"]["port"] == port


def test_variables_are_settings_and_no_secrets() -> None:
    """A misspelt one would be passed over in silence; secrets are files."""
    settings = next(one for one in OBJECTS if one["kind"] == "ConfigMap")["data"]
    own = {v["name"] for _, container in CONTAINERS.values() for v in container.get("env", [])}
    for variable in (*settings, *own):
        name = variable.removeprefix("LAKESHELF_").lower()
        assert name in Settings.model_fields, variable
        assert not SECRET.search(variable) or variable.endswith("_FILE")
