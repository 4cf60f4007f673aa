"""Guards deploy/: its commands are ours, its versions are those tested, it holds no secret."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from tuning.options import add_search_options, build_parser
from tuning.places import Place

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
    whole = [each for each in found if "--output" in each]
    return [*whole, JOB["spec"]["entrypoint"]]


@pytest.mark.parametrize("command", commands())
def test_a_command_has_options_that_exist(command: str) -> None:
    script, *words = shlex.split(command)[1:]
    assert (ROOT / script).is_file()
    parser = build_parser("x", "grid.yaml")
    args = (add_search_options(parser) if "search" in script else parser).parse_args(words)
    assert args.address == "auto"
    assert isinstance(args.output, Place)
    assert str(args.local).startswith("/data/")


def test_there_are_commands_in_both_files() -> None:
    assert len(commands()) >= 2


def test_the_versions_are_those_that_passed_the_tests() -> None:
    pins = (ROOT / "constraints.txt").read_text(encoding="utf-8").split("\n")
    assert f"ray=={JOB['spec']['rayClusterSpec']['rayVersion']}" in pins
    assert "--constraint constraints.txt" in TEXTS["Dockerfile"]


def test_every_variable_is_to_be_set_and_named_in_the_example() -> None:
    asked = re.findall(r"\$\{(\w+)(.*?)\}", TEXTS["docker-compose.yml"])
    named = re.findall(r"^(\w+)=", TEXTS[".env.example"], re.MULTILINE)
    assert {name for name, _ in asked} == set(named)
    assert {rule for _, rule in asked} == {":?set it in deploy/.env"}
    assert all("change-me" in line for line in TEXTS[".env.example"].split("\n")[1:] if line)


def test_no_secret_stands_in_a_manifest() -> None:
    for name in ("docker-compose.yml", "rayjob.yaml"):
        for line in TEXTS[name].split("\n"):
            if re.search(r"(SECRET|PASSWORD|TOKEN)\w*:", line) and not line.startswith("#"):
                assert "${" in line
    groups = JOB["spec"]["rayClusterSpec"]
    for group in (groups["headGroupSpec"], *groups["workerGroupSpecs"]):
        (container,) = group["template"]["spec"]["containers"]
        hidden = [each for each in container["env"] if "KEY" in each["name"]]
        assert hidden
        assert all("secretKeyRef" in each["valueFrom"] for each in hidden)


def test_ports_are_open_to_this_machine_alone() -> None:
    ports = [port for each in COMPOSE["services"].values() for port in each.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_services_wait_for_services_that_exist() -> None:
    services = COMPOSE["services"]
    for service in services.values():
        assert set(service.get("depends_on", [])) <= set(services)
        for volume in service.get("volumes", []):
            assert volume.split(":")[0] in COMPOSE["volumes"]


def test_the_drivers_journal_outlives_its_machine() -> None:
    assert "driver:/data" in COMPOSE["services"]["head"]["volumes"]
    head = JOB["spec"]["rayClusterSpec"]["headGroupSpec"]["template"]["spec"]
    (volume,) = head["volumes"]
    assert volume["persistentVolumeClaim"]["claimName"] == CLAIM["metadata"]["name"]
    assert head["containers"][0]["volumeMounts"] == [
        {"name": volume["name"], "mountPath": "/data"}
    ]


def test_nothing_but_what_is_needed_gets_into_the_image() -> None:
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").split("\n")
    assert lines[0] == "**"
    wanted = {line[1:].split("/")[0] for line in lines if line.startswith("!")}
    copied = set(re.findall(r"^COPY (\S+?)/__init__", TEXTS["Dockerfile"], re.MULTILINE))
    assert copied <= wanted
    assert not wanted & {"results", "mlflow.db", "data", ".venv", ".git"}


@pytest.mark.parametrize("name", ["Dockerfile", "docker-compose.yml", "rayjob.yaml"])
def test_each_file_opens_with_what_it_starts_and_what_was_checked(name: str) -> None:
    opening = TEXTS[name].split("\n\n" if name != "Dockerfile" else "\nFROM")[0]
    assert opening.startswith("# ")
    assert "Checked:" in TEXTS[name]
    assert "deploy/" in opening
