"""The Helm chart of Segue's own services: what it renders to, and whether Segue and Kubernetes accept that."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from segue.settings import PROJECT_DIR, Settings

DEPLOY = PROJECT_DIR / "deploy"
CHART = DEPLOY / "segue"
RENDERINGS = {"default": (), "full": ("--values", str(DEPLOY / "values" / "segue.yaml"))}
"""Options of ``helm template`` for each file in deploy/renderings."""
KUBERNETES = ("1.30", "1.37")
"""The oldest and the newest version whose schemas the renderings are checked against."""
HELM = os.environ.get("HELM") or shutil.which("helm")
TEMPLATE = ("template", "segue", str(CHART), "--namespace", "segue", "--kube-version", "1.30.0")


def documents(name: str) -> list[dict[str, Any]]:
    return [each for each in yaml.safe_load_all((DEPLOY / "renderings" / f"{name}.yaml").read_text()) if each]


def of_kind(name: str, kind: str) -> list[dict[str, Any]]:
    return [each for each in documents(name) if each["kind"] == kind]


def pods(name: str) -> list[dict[str, Any]]:
    found = [each["spec"]["template"]["spec"] for each in of_kind(name, "Deployment")]
    assert len(found) == 2
    return found


def containers(name: str) -> list[dict[str, Any]]:
    return [container for pod in pods(name) for container in pod["containers"]]


@pytest.mark.skipif(HELM is None, reason="Helm is not installed, and HELM does not name it")
@pytest.mark.parametrize("name", RENDERINGS)
def test_the_renderings_are_what_helm_makes_of_the_chart(name):
    command = [str(HELM), *TEMPLATE, *RENDERINGS[name]]
    made = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert made == (DEPLOY / "renderings" / f"{name}.yaml").read_text(), "run `make renderings`"


@pytest.mark.skipif(HELM is None, reason="Helm is not installed, and HELM does not name it")
@pytest.mark.parametrize("name", RENDERINGS)
def test_helm_finds_no_fault_in_the_chart(name):
    command = [str(HELM), "lint", "--strict", str(CHART), *RENDERINGS[name]]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout + told.stderr


@pytest.mark.skipif(HELM is None, reason="Helm is not installed, and HELM does not name it")
@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("settings.mongo_uri=mongodb://u:p@m", "mongo_uri"),  # a password in a ConfigMap
        ("live.replicas=0", "minimum"),
        ("existingSecret=a,secrets.SEGUE_MONGO_URI=b", "either existingSecret or secrets"),
        ("apis.replicas=2", "apis"),
    ],
)
def test_a_value_that_cannot_work_is_refused(wrong, said):
    command = [str(HELM), *TEMPLATE, "--set", wrong]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert told.returncode != 0
    assert said in told.stderr


@pytest.mark.parametrize("version", KUBERNETES)
@pytest.mark.parametrize("name", RENDERINGS)
def test_kubernetes_accepts_every_object(name, version):
    rendered = documents(name)
    assert rendered
    for each in rendered:
        kubernetes_validate.validate(each, version, strict=True)


def test_a_wrong_object_would_be_noticed():
    [wrong] = [each for each in of_kind("default", "Deployment") if each["metadata"]["name"] == "segue-api"]
    wrong["spec"]["replicaz"] = 1
    with pytest.raises(kubernetes_validate.ValidationError, match="replicaz"):
        kubernetes_validate.validate(wrong, KUBERNETES[-1], strict=True)


@pytest.mark.parametrize("name", RENDERINGS)
def test_segue_accepts_every_setting(name, tmp_path):
    [configuration] = of_kind(name, "ConfigMap")
    stated = dict(configuration["data"])
    for container in containers(name):
        stated |= {each["name"]: each.get("value", "mongodb://m") for each in container.get("env", [])}
    given = {key.removeprefix("SEGUE_").lower(): value for key, value in stated.items() if key != "HOME"}
    assert set(given) <= set(Settings.model_fields)
    given |= {"kafka_sasl_password": "secret", "home": str(tmp_path)}
    settings = Settings(**given)
    assert settings.kafka_security_protocol == "SASL_SSL"


@pytest.mark.parametrize("name", RENDERINGS)
def test_containers_have_no_rights_and_limits_of_everything(name):
    for pod in pods(name):
        assert pod["securityContext"]["runAsNonRoot"]
        assert pod["automountServiceAccountToken"] is False
        user = re.search(r"USER (\d+)", (PROJECT_DIR / "docker" / "Dockerfile").read_text())
        assert user
        assert pod["securityContext"]["runAsUser"] == int(user[1])
        assert all(volume["emptyDir"]["sizeLimit"] for volume in pod["volumes"] if "emptyDir" in volume)
    for container in containers(name):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        for amounts in container["resources"].values():
            assert set(amounts) == {"cpu", "memory"}
        assert container["startupProbe"]
        assert container["livenessProbe"]


@pytest.mark.parametrize("name", RENDERINGS)
def test_what_segue_writes_has_a_place_on_a_read_only_root(name):
    dockerfile = (PROJECT_DIR / "docker" / "Dockerfile").read_text()
    home = re.search(r"SEGUE_HOME=(\S+)", dockerfile)
    assert home
    for container in containers(name):
        mounted = {mount["mountPath"] for mount in container["volumeMounts"] if not mount.get("readOnly")}
        assert mounted == {home[1], "/tmp"}  # noqa: S108


def test_a_file_that_a_setting_names_is_mounted():
    [configuration] = of_kind("full", "ConfigMap")
    named = {value for value in configuration["data"].values() if value.startswith("/etc/segue/ca/")}
    assert named
    for pod in pods("full"):
        [sources] = [each["projected"]["sources"] for each in pod["volumes"] if "projected" in each]
        files = {item["path"] for source in sources for item in source["secret"]["items"]}
        assert {Path(each).name for each in named} <= files


@pytest.mark.parametrize("name", RENDERINGS)
def test_the_api_alone_reads_its_topic_and_members_survive_a_drain(name):
    api, live = of_kind(name, "Deployment")
    assert api["spec"]["replicas"] == 1
    assert api["spec"]["strategy"] == {"type": "Recreate"}
    [budget] = of_kind(name, "PodDisruptionBudget")
    assert budget["spec"]["selector"]["matchLabels"] == live["spec"]["selector"]["matchLabels"]
    assert budget["spec"]["maxUnavailable"] < live["spec"]["replicas"]


@pytest.mark.parametrize("name", RENDERINGS)
def test_services_policies_and_budgets_select_pods_that_exist(name):
    labels = [each["spec"]["template"]["metadata"]["labels"] for each in of_kind(name, "Deployment")]
    selectors = [each["spec"]["selector"] for each in of_kind(name, "Service")]
    selectors += [each["spec"]["podSelector"]["matchLabels"] for each in of_kind(name, "NetworkPolicy")]
    selectors += [each["spec"]["selector"]["matchLabels"] for each in of_kind(name, "PodDisruptionBudget")]
    for selector in selectors:
        assert len([each for each in labels if selector.items() <= each.items()]) == 1


def test_no_rendering_has_a_password():
    for name in RENDERINGS:
        assert not of_kind(name, "Secret")


def test_the_chart_has_the_version_of_the_package():
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    [version] = re.findall(r'(?m)^version = "(.+)"', (PROJECT_DIR / "pyproject.toml").read_text())
    assert chart["appVersion"] == chart["version"] == version


def test_values_for_other_charts_can_be_read_and_fit_segues():
    stated = {path.stem: list(yaml.safe_load_all(path.read_text())) for path in (DEPLOY / "values").glob("*.yaml")}
    assert set(stated) == {"airflow", "airflow-celery", "mongodb", "segue", "strimzi"}
    [airflow], [segue] = stated["airflow"], stated["segue"]
    chart = yaml.safe_load((CHART / "values.yaml").read_text())
    assert airflow["workers"]["serviceAccount"]["name"] == chart["spark"]["serviceAccount"]["name"]
    assert airflow["defaultAirflowRepository"] == segue["image"]["repository"]
    assert segue["existingSecret"] in airflow["extraEnvFrom"]
    kafka = {each["kind"]: each for each in stated["strimzi"]}
    cluster = kafka["Kafka"]["metadata"]["name"]
    assert segue["settings"]["kafka_bootstrap_servers"].startswith(f"{cluster}-kafka-bootstrap:")
    assert segue["settings"]["kafka_sasl_username"] == kafka["KafkaUser"]["metadata"]["name"]
    config = kafka["Kafka"]["spec"]["kafka"]["config"]
    assert config["offsets.retention.minutes"] == 10 * 365 * 24 * 60
    assert (config["default.replication.factor"], config["min.insync.replicas"]) == (3, 2)
    [mongodb] = stated["mongodb"]
    [user] = mongodb["spec"]["users"]
    references = [each["valueFrom"]["secretKeyRef"]["name"] for each in segue["extraEnv"]]
    assert user["connectionStringSecretName"] in references
