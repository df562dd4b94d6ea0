"""Files of arrays, read by several threads at a time."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.lib import format as npy

from validation_ch7.checkpoints.arrays import pack_arrays, unpack_arrays


def test_headers_are_parsed_by_one_thread_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    # Two at a time, with a garbage collection in between: CPython 3.11 raises SystemError (recursion depth mismatch).
    parse, others, met, overlaps = npy.read_array_header_1_0, threading.Semaphore(1), threading.Event(), []

    def watched(stream):
        if not others.acquire(blocking=False):
            overlaps.append(stream)
            met.set()
            return parse(stream)
        try:
            met.wait(0.02)  # somebody else may come in, if they can
            return parse(stream)
        finally:
            others.release()

    monkeypatch.setattr(npy, "read_array_header_1_0", watched)
    arrays = {f"a{index}": np.full((5, 1, 2), index, np.float32) for index in range(4)}
    packed = pack_arrays(arrays)
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(lambda _: unpack_arrays(packed), range(4)):
            assert all(np.array_equal(found[name], array) for name, array in arrays.items())
    assert overlaps == []
