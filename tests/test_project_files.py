"""Guards what people expect beside the code: licence, citation, hooks, true bounds."""

import re
import tomllib
from pathlib import Path

import yaml
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_the_licence_is_the_one_that_the_package_names() -> None:
    assert (PROJECT["license"], PROJECT["license-files"]) == ("Apache-2.0", ["LICENSE"])
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert text.split("\n")[1].strip() == "Apache License"
    (author,) = PROJECT["authors"]
    assert f"Copyright 2026 {author['name']}\n" in text


def test_the_citation_says_what_the_package_says() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["cff-version"] == "1.2.0"
    for key in ("version", "license", "authors", "keywords"):
        assert citation[key] == PROJECT[key], key
    for work in citation["references"]:
        assert work.keys() >= {"type", "title", "authors", "year"}


def test_the_hooks_before_a_commit_are_checks_of_make_test() -> None:
    (local,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    entries = {hook["id"]: hook["entry"] for hook in local["hooks"]}
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    (checks,) = re.findall(r"^test: (.+?) ##", makefile, re.MULTILINE)
    assert local["repo"] == "local"
    assert entries == {"lint": "make lint", "types": "make types"}
    assert set(entries) <= set(checks.split())


def test_every_dependency_has_a_lower_bound_and_a_pin_above_it() -> None:
    extras = PROJECT["optional-dependencies"]
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").split("\n")[1:]
    pins = dict(line.lower().replace("_", "-").split("==") for line in lines if line)
    for line in [*PROJECT["dependencies"], *extras["onnx"], *extras["servers"]]:
        needed = Requirement(line)
        assert any(rule.operator == ">=" for rule in needed.specifier), line
        assert needed.specifier.contains(pins[needed.name.lower().replace("_", "-")]), line
