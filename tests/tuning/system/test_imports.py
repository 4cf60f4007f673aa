"""Guards imports beside other work: the module comes, and what fails is told."""

import json

import pytest

from tuning.system.imports import import_aside


def test_a_module_is_imported_aside() -> None:
    with import_aside("json") as found:
        assert found.result() is json


def test_an_import_that_fails_is_told_where_its_result_is_asked_for() -> None:
    with import_aside("no_such_module") as found, pytest.raises(ModuleNotFoundError):
        found.result()
