"""The simulator on a CUDA device: one kernel launch per decision, one block of threads per environment.

The formulas and the road ends are those of the processor path, compiled from the very same functions. Each thread
passes its own stretch of slots to the loops of :mod:`.flow`, where the processor goes over the cells as :mod:`.lanes`
says; the first thread of a block does the few road ends, signals and measures. Results agree with the processor's to
rounding: device code contracts multiplications and additions.
The state stays on the device between decisions; it is fetched when somebody looks at it.
"""

from __future__ import annotations

import types
from collections.abc import Sequence
from typing import Any

import numba.cuda
import numpy as np

from validation_ch7.environment_config import EnvironmentConfig
from validation_ch7.errors import ConfigurationError
from validation_ch7.traffic import flow, junction, kernel, measure, vectors
from validation_ch7.traffic.arrays import Array, Integers
from validation_ch7.traffic.flow import hll_fluxes, relax_and_wave, update
from validation_ch7.traffic.junction import join, look, put
from validation_ch7.traffic.kernel import request, tick
from validation_ch7.traffic.measure import add_up, conclude, mark, observe, sample
from validation_ch7.traffic.simulator import Simulator

cuda: Any = numba.cuda

SHARED = (*vectors.SCALARS, kernel.request, kernel.tick, *flow.KERNELS, *junction.KERNELS, *measure.KERNELS)
"""The functions that are compiled for the device, callees before callers."""


def available() -> bool:
    """Return whether there is a CUDA device, or Numba's simulator of one (NUMBA_ENABLE_CUDASIM=1)."""
    return bool(cuda.is_available())


def advance_block(tables, x, queue, signal, arrivals, clock, wanted, measures, roads, observation, scratch):  # type: ignore[no-untyped-def]
    """Advance one environment per block by one decision; arguments as for the processor, and scratch arrays."""
    b, thread, threads = cuda.blockIdx.x, cuda.threadIdx.x, cuda.blockDim.x
    v, wave, flux, marks, sums, tips, ends, edges, open_road = scratch
    v, wave, flux, marks = v[b], wave[b], flux[b], marks[b]
    sums, tips, ends, edges = sums[b], tips[b], ends[b], edges[b]
    slots = x.shape[2]
    each = (slots + threads - 1) // threads
    low, high = min(thread * each, slots), min(thread * each + each, slots)
    before = max(low - 1, 0)
    substeps, samples = tables.timing[0], tables.timing[1]
    moving = wanted[b, 0] >= 0
    if thread == 0:
        for row in range(measures.shape[1]):
            measures[b, row, 0] = 0.0
            measures[b, row, 1] = 0.0
        if moving:
            request(signal[b], wanted[b], tables)
            mark(x[b], marks, tables.physics)
            for j in range(slots):
                for k in range(2):
                    for row in range(1, 4):
                        marks[row, k, j] = 0.0
    cuda.syncthreads()
    for n in range(substeps if moving else 0):
        if low < high:
            relax_and_wave(x[b, :, low:high], v[:, low:high], wave[:, low:high], tables.physics)
        cuda.syncthreads()
        if low < high:
            hll_fluxes(
                x[b, :, before:high], v[:, before:high], wave[:, before:high], flux[:, before:high], tables.physics
            )
        if thread == 0:
            for entry in range(queue.shape[1]):
                for k in range(2):
                    queue[b, entry, k] += arrivals[b, clock[b], entry, k] / substeps
            tick(signal[b], open_road[b], tables)
        cuda.syncthreads()
        if thread == 0:
            look(x[b], v, tips, tables)
            join(tips, queue[b], open_road[b], ends, edges, measures[b, 4], tables)
            put(edges, flux, tables)
        cuda.syncthreads()
        if low < high:
            update(x[b, :, low:high], flux[:, low : high + 1], tables.rate[low:high], tables.physics)
        cuda.syncthreads()
        if (n + 1) % (substeps // samples) == 0:
            if thread == 0:
                mark(x[b], marks, tables.physics)
                add_up(x[b], marks, sums, tables)
                sample(sums, queue[b], measures[b], tables)
            cuda.syncthreads()
    if thread == 0:
        if moving:
            conclude(sums, roads[b], measures[b], tables)
        observe(x[b], roads[b], queue[b], signal[b], observation[b], tables)


def build_kernel() -> Any:
    """Return :func:`advance_block` compiled for the device, with every shared function that it calls."""
    scope: dict[str, Any] = {}
    for function in SHARED:
        scope[function.__name__] = cuda.jit(device=True)(_within(getattr(function, "py_func", function), scope))
    return cuda.jit(_within(advance_block, scope))


def _within(function: Any, scope: dict[str, Any]) -> Any:
    return types.FunctionType(function.__code__, {**function.__globals__, **scope}, function.__name__)


class CudaSimulator(Simulator):
    """A :class:`~validation_ch7.traffic.Simulator` whose state lives on the device.

    Args:
        config: first order only.
        size: number of environments.
        threads: per environment; default: one per slot, at most 256.

    Raises:
        ConfigurationError: there is no device, or the scheme is of second order.
    """

    def __init__(self, config: EnvironmentConfig, size: int, threads: int | None = None) -> None:
        if not available() or config.solver.order != 1:
            raise ConfigurationError(
                "The traffic cannot be simulated on a CUDA device.",
                where="solver",
                expected="a CUDA device that Numba finds, and order 1",
                found=f"device found: {available()}, order {config.solver.order}",
                remedy="set solver.device to cpu",
            )
        self._host: dict[str, Array] = {}
        self._device: dict[str, Any] | None = None
        self._stale = False
        super().__init__(config, size)
        self._kernel = build_kernel()
        self._threads = threads or min(256, -(-self.layout.slots // 32) * 32)

    @property
    def x(self) -> Array:
        """State of the roads, fetched from the device where it is newer there."""
        self._fetch()
        return self._host["x"]

    @x.setter
    def x(self, value: Array) -> None:
        self._host["x"] = value

    @property
    def queue(self) -> Array:
        """Vehicles outside, fetched from the device where it is newer there."""
        self._fetch()
        return self._host["queue"]

    @queue.setter
    def queue(self, value: Array) -> None:
        self._host["queue"] = value

    def _fetch(self) -> None:
        if self._stale and self._device is not None:
            self._stale = False
            for name in ("x", "queue"):
                self._host[name][...] = self._device[name].copy_to_host()

    def restart(self, rows: Sequence[int], arrivals: Array) -> None:
        """Empty the roads of some environments and give them new arrivals; see :meth:`Simulator.restart`."""
        super().restart(rows, arrivals)
        self._device = None

    def set_state(self, state: dict[str, Any], from_outside: bool = False) -> None:
        """Take over a state from :meth:`get_state`; see :meth:`Simulator.set_state`."""
        super().set_state(state, from_outside)
        self._device = None

    def step(self, wanted: Integers) -> Array:
        """Advance by one decision and return the observations; see :meth:`Simulator.step`."""
        device = self._upload() if self._device is None else self._device
        observation = cuda.device_array((self.size, self.layout.observation_size), np.float32)
        clock, asked = cuda.to_device(self.clock), cuda.to_device(np.ascontiguousarray(wanted))
        state = [device[name] for name in ("x", "queue", "signal", "arrivals")]
        outcome = [device[name] for name in ("measures", "roads")]
        self._kernel[self.size, self._threads](
            device["tables"], *state, clock, asked, *outcome, observation, device["scratch"]
        )
        for name in ("signal", "measures", "roads"):
            getattr(self, name)[...] = device[name].copy_to_host()
        self._stale = True
        self.clock += wanted[:, 0] >= 0
        return np.asarray(observation.copy_to_host())

    def _upload(self) -> dict[str, Any]:
        tables, size, slots = self.layout.tables, self.size, self.layout.slots
        links = len(tables.links)
        empty = [
            np.zeros((size, 2, slots), self._host["x"].dtype),
            np.zeros((size, 2, slots), self._host["x"].dtype),
            np.zeros((size, 4, slots + 1), self._host["x"].dtype),
            np.zeros((size, 4, 2, slots), self._host["x"].dtype),
            np.zeros((size, links, 2, 5)),
            np.zeros((size, links, 8)),
            np.zeros((size, links, 10)),
            np.zeros((size, links // 4, 8, 4), self._host["x"].dtype),
            np.zeros((size, links), np.bool_),
        ]
        self._fetch()
        names = ("x", "queue", "signal", "arrivals", "measures", "roads")
        self._device = {name: cuda.to_device(getattr(self, name)) for name in names}
        self._device["tables"] = type(tables)(*(cuda.to_device(table) for table in tables))
        self._device["scratch"] = tuple(cuda.to_device(array) for array in empty)
        return self._device
