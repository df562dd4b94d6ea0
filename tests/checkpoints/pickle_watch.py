"""What pickles would bring to life while some work is done, seen by the interpreter itself."""

from __future__ import annotations

import os
import pickle
import sys
import traceback
from collections.abc import Callable
from typing import Any

import cloudpickle
import torch as th


def classes_unpickled(work: Callable[[], object]) -> list[str]:
    """Do ``work`` in a child process and return every class and function that a pickle looked up there.

    The interpreter's own audit events see each way to read a pickle, by whatever name; the child keeps them to itself.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os._exit(_report(writer, work))
    os.close(writer)
    with os.fdopen(reader, encoding="utf-8") as stream:
        told = stream.read()
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status == 0, told
    return told.split()


def _report(writer: int, work: Callable[[], object]) -> int:
    found: list[str] = []
    status = 0
    try:
        th.set_num_threads(1)
        sys.addaudithook(lambda event, told: found.append(".".join(told)) if event == "pickle.find_class" else None)
        work()
        text = " ".join(found)
    except BaseException:  # noqa: BLE001  told to the parent, which fails
        status, text = 1, traceback.format_exc()
    with os.fdopen(writer, "w", encoding="utf-8") as stream:
        stream.write(text)
    return status


def refuse_pickles(replace: Callable[[Any, str, Any], None]) -> None:
    """Make every loader of pickles raise, those that look nothing up included; ``replace`` sets an attribute."""

    def refuse(*_: Any, **__: Any) -> Any:
        raise AssertionError("a pickle was read")

    class Refused:
        __init__ = refuse

    load = th.load
    for module in (pickle, cloudpickle):
        for name in ("load", "loads"):
            replace(module, name, refuse)
    for name in ("Unpickler", "_Unpickler"):
        replace(pickle, name, Refused)
    replace(th, "load", lambda *a, **k: load(*a, **k) if k.get("weights_only") is True else refuse())
