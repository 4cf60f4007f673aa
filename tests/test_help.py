"""Guards --help: an option that has a default says which."""

from __future__ import annotations

import argparse
import importlib
import sys

import pytest

from tuning.parsers import build_parser

PROGRAMS = (
    "analysis.make_report", "analysis.make_submission", "models.export_encoder",
    "models.export_onnx", "models.predict", "tuning.data.split", "tuning.doctor",
    "tuning.pretrain", "tuning.reproduce", "tuning.run_grid", "tuning.run_search",
    "tuning.tracking.__main__",
)  # fmt: skip
NO_WORDS = (None, False, argparse.SUPPRESS, [], ())  # as a default; --help need not say them


class FoundError(Exception):
    """Carries the parser of a program out of its main function."""


def parser_of(program: str, monkeypatch: pytest.MonkeyPatch) -> argparse.ArgumentParser:
    """Return the parser that a program's main function builds."""
    found: list[argparse.ArgumentParser] = []

    def parse_args(self: argparse.ArgumentParser, *_: object) -> None:
        found.append(self)
        raise FoundError

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", parse_args)
    monkeypatch.setattr(sys, "argv", [program])
    with pytest.raises(FoundError):
        importlib.import_module(program).main()
    return found[0]


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_option_says_what_it_is_and_its_default(
    program: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for action in parser_of(program, monkeypatch)._actions:
        assert action.help, action.dest
        if action.default not in NO_WORDS:
            assert "default" in action.help, action.dest


def test_what_the_file_decides_is_said_to_be_its() -> None:
    helps = {action.dest: action.help for action in build_parser("x", "grid.yaml")._actions}
    for option in ("data", "encoder"):
        assert "default: that of the YAML file" in str(helps[option])
    assert "default: experiments/grid.yaml" in str(helps["config"])
