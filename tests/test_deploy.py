"""Guards deploy/: its commands are ours, its versions are those tested, it holds no secret."""

import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from tuning.parsers import add_search_options, build_parser
from tuning.system.storage_path import StoragePath

ROOT = Path(__file__).resolve().parents[1]
DEPLOY = ROOT / "deploy"
TEXTS = {path.name: path.read_text(encoding="utf-8") for path in sorted(DEPLOY.iterdir())}
COMPOSE: dict[str, Any] = yaml.safe_load(TEXTS["docker-compose.yml"])
CLAIM, JOB = yaml.safe_load_all(TEXTS["rayjob.yaml"])


def commands() -> list[str]:
    """Return every command of ours in the comments and the fields, in one line each."""
    plain = [text.replace("\\\n#", " ").replace("\\\n", " ") for text in TEXTS.values()]
    lines = [line for text in plain for line in text.split("\n")]
    found = [line[line.index("python tuning/") :] for line in lines if "python tuning/" in line]
    whole = [each.partition("'")[0] for each in found if "--output" in each]
    return [*whole, JOB["spec"]["entrypoint"]]


def groups() -> list[dict[str, Any]]:
    """Return the pods' specifications, the head's first."""
    cluster = JOB["spec"]["rayClusterSpec"]
    return [
        each["template"]["spec"]
        for each in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"])
    ]


@pytest.mark.parametrize("command", commands())
def test_a_command_has_options_that_exist(command: str) -> None:
    script, *words = shlex.split(command)[1:]
    assert (ROOT / script).is_file()
    parser = build_parser("x", "grid.yaml")
    args = (add_search_options(parser) if "search" in script else parser).parse_args(words)
    assert args.address == "auto"
    assert isinstance(args.output, StoragePath)
    assert str(args.local).startswith("/data/")


def test_both_entry_scripts_are_shown_and_one_is_a_job() -> None:
    assert {each.split()[1] for each in commands()} == {
        "tuning/run_grid.py",
        "tuning/run_search.py",
    }


def test_the_opening_comments_name_files_that_exist() -> None:
    for text in TEXTS.values():
        for name in re.findall(r"(?:--file|--filename|cp) (\S+)", text):
            assert (ROOT / name).is_file()


def test_the_versions_are_those_that_passed_the_tests() -> None:
    pins = (ROOT / "constraints.txt").read_text(encoding="utf-8").split("\n")
    assert f"ray=={JOB['spec']['rayClusterSpec']['rayVersion']}" in pins
    assert (
        "--constraint constraints.txt --constraint deploy/constraints.txt" in TEXTS["Dockerfile"]
    )
    more = TEXTS["constraints.txt"].split("\n")[1:]
    assert all("==" in line for line in more if line)
    assert not {line.split("==")[0].lower() for line in more if line} & {
        line.split("==")[0].lower() for line in pins
    }


def test_an_image_from_elsewhere_has_a_version() -> None:
    for service in COMPOSE["services"].values():
        assert "build" in service or re.search(r":v?\d", service["image"])


def test_every_variable_is_to_be_set_and_named_in_the_example() -> None:
    asked = re.findall(r"\$\{(\w+)(.*?)\}", TEXTS["docker-compose.yml"])
    named = re.findall(r"^(\w+)=", TEXTS[".env.example"], re.MULTILINE)
    assert {name for name, _ in asked} == set(named)
    assert {rule for _, rule in asked} == {":?set it in deploy/.env"}
    values = re.findall(r"^\w+=(.*)$", TEXTS[".env.example"], re.MULTILINE)
    assert all("change-me" in value for value in values)
    assert "/deploy/.env" in (ROOT / ".gitignore").read_text(encoding="utf-8").split("\n")


def test_no_secret_stands_in_a_manifest() -> None:
    for name in ("docker-compose.yml", "rayjob.yaml"):
        for line in TEXTS[name].split("\n"):
            if re.search(r"(SECRET|PASSWORD|TOKEN)\w*:", line) and not line.startswith("#"):
                assert "${" in line
    for pod in groups():
        (container,) = pod["containers"]
        hidden = [each for each in container["env"] if "KEY" in each["name"]]
        assert hidden
        assert all("secretKeyRef" in each["valueFrom"] for each in hidden)


def test_no_password_is_an_argument_that_a_list_of_processes_shows() -> None:
    for service in COMPOSE["services"].values():
        assert "${" not in str(service.get("command"))


def test_all_of_ray_asks_for_a_token() -> None:
    for name in ("head", "worker"):
        assert COMPOSE["services"][name]["environment"]["RAY_AUTH_MODE"] == "token"
    assert JOB["spec"]["rayClusterSpec"]["authOptions"] == {"mode": "token"}


def test_no_container_of_ours_runs_as_root() -> None:
    assert "\nUSER 1000\n" in TEXTS["Dockerfile"]
    assert all(pod["securityContext"]["runAsNonRoot"] for pod in groups())


def test_ports_are_open_to_this_machine_alone() -> None:
    ports = [port for each in COMPOSE["services"].values() for port in each.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_services_wait_for_services_that_exist() -> None:
    services = COMPOSE["services"]
    for service in services.values():
        assert set(service.get("depends_on", [])) <= set(services)
        for name, how in service.get("depends_on", {}).items():
            assert how["condition"] != "service_healthy" or "healthcheck" in services[name]
        for volume in service.get("volumes", []):
            assert volume.split(":")[0] in COMPOSE["volumes"]


def test_the_drivers_journal_outlives_its_machine() -> None:
    assert "driver:/data" in COMPOSE["services"]["head"]["volumes"]
    head = groups()[0]
    (volume,) = head["volumes"]
    assert volume["persistentVolumeClaim"]["claimName"] == CLAIM["metadata"]["name"]
    assert head["containers"][0]["volumeMounts"] == [
        {"name": volume["name"], "mountPath": "/data"}
    ]


def test_nothing_but_what_is_needed_gets_into_the_image() -> None:
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").split("\n")
    assert lines[0] == "**"
    wanted = {line[1:].split("/")[0] for line in lines if line.startswith("!")}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    packages = project["tool"]["setuptools"]["packages"]
    made = TEXTS["Dockerfile"].partition("RUN mkdir ")[2].partition("&&")[0]
    assert made.replace("\\\n", " ").split() == [name.replace(".", "/") for name in packages]
    assert {name.split(".")[0] for name in packages} <= wanted
    copied = TEXTS["Dockerfile"].partition("COPY ")[2].split("\n")[0].split()
    assert {"pyproject.toml", *project["project"]["license-files"]} <= wanted & set(copied)
    assert not wanted & {"results", "mlflow.db", "data", ".venv", ".git"}


def test_gpus_are_the_workers_alone_and_asked_for_by_who_has_them() -> None:
    head, *workers = [pod["containers"][0]["resources"]["limits"] for pod in groups()]
    assert "nvidia.com/gpu" not in head
    assert [limits.get("nvidia.com/gpu", 0) for limits in workers] == [0, 1]
    plain, with_gpus = JOB["spec"]["rayClusterSpec"]["workerGroupSpecs"]
    assert plain["replicas"] > 0 == with_gpus["replicas"] == with_gpus["minReplicas"]
    worker, gpu_worker = (COMPOSE["services"][name] for name in ("worker", "gpu-worker"))
    assert gpu_worker["profiles"] == ["gpu"]
    (device,) = gpu_worker["deploy"]["resources"]["reservations"]["devices"]
    assert device["capabilities"] == ["gpu"]
    same = {key: value for key, value in gpu_worker.items() if key not in ("profiles", "deploy")}
    assert same == worker


@pytest.mark.parametrize("name", ["Dockerfile", "docker-compose.yml", "rayjob.yaml"])
def test_each_file_opens_with_what_it_starts_and_what_was_checked(name: str) -> None:
    opening = TEXTS[name].split("\n\n" if name != "Dockerfile" else "\nFROM")[0]
    assert opening.startswith("# ")
    assert "Checked:" in TEXTS[name]
    assert "deploy/" in opening
