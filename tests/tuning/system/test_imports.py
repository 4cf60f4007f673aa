"""Guards imports beside other work: the module comes, and what fails is told."""

import gc
import importlib
import json
import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from tuning.system.imports import _give_way, import_aside, without_collection


def test_a_module_is_imported_aside() -> None:
    with import_aside("json") as found:
        assert found.result() is json


def test_an_import_that_fails_is_told_where_its_result_is_asked_for() -> None:
    with import_aside("no_such_module") as found, pytest.raises(ModuleNotFoundError):
        found.result()


def test_garbage_is_searched_for_again_after_an_import_that_fails() -> None:
    frozen, seen = gc.get_freeze_count(), []

    @without_collection()
    def fail() -> None:
        seen.append(gc.isenabled())
        importlib.import_module("no_such_module")

    with pytest.raises(ModuleNotFoundError):
        fail()
    assert (seen, gc.isenabled()) == ([False], True)
    assert gc.get_freeze_count() > frozen
    gc.unfreeze()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a thread has no priority")
def test_an_import_aside_lets_others_go_first() -> None:
    own = os.getpriority(os.PRIO_PROCESS, os.getpid())
    with ThreadPoolExecutor(1, initializer=_give_way) as aside:
        found = aside.submit(lambda: os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
    assert found.result() == min(19, own + 10)
    assert os.getpriority(os.PRIO_PROCESS, os.getpid()) == own
