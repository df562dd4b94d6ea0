"""How the kernels are compiled: parts that are inlined, and fused kernels whose machine code is kept on disk.

All of it goes without Numba's counting of references (``_nrt=False``), which would otherwise count at every view
of an array in the inner loops, half of a step's time on short roads. In return no kernel may create an array: what
they need for work comes in as :class:`~validation_ch7.traffic.arrays.Scratch`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar, cast

from numba import njit

from validation_ch7.traffic import vectors
from validation_ch7.traffic.arrays import Rows, Scratch, Tables

_njit: Any = njit  # its type stubs do not know _nrt
Part = TypeVar("Part", bound=Callable[..., Any])


def loop(function: Part) -> Part:
    """Compile a function that runs over all slots or rows."""
    return cast("Part", _njit(error_model="numpy", _nrt=False)(function))


def inlined(function: Part) -> Part:
    """Compile a short function, whose arguments would take longer to pass than its work."""
    return cast("Part", _njit(error_model="numpy", _nrt=False, forceinline=True)(function))


def fused(function: Part) -> Part:
    """Compile a function, keeping the machine code on disk where there is a place for it.

    Numba stores it beside the source, else in the user's cache folder, or where NUMBA_CACHE_DIR says.
    """
    try:
        return cast("Part", _njit(error_model="numpy", _nrt=False, nogil=True, cache=True)(function))
    except RuntimeError:
        return cast("Part", _njit(error_model="numpy", _nrt=False, nogil=True)(function))


def fingerprint(functions: Iterable[Any]) -> str:
    """Return a digest of compiled functions' bytecode, and of how they are compiled.

    Numba's cache on disk notices a change in the file of the function that it caches, but not in those that
    are inlined into it. The fused kernel closes over this digest, which makes it part of the cache's key.
    """
    digest = hashlib.sha256(repr((Tables._fields, Rows._fields, Scratch._fields)).encode())
    for source in (__file__, vectors.__file__):
        digest.update(Path(source).read_bytes())
    for function in functions:
        code = function.py_func.__code__
        digest.update(code.co_code + repr((code.co_consts, code.co_names)).encode())
    return digest.hexdigest()
