"""The one digest of a training state: equal for runs that are equal bit for bit, whenever and wherever they were saved.

The digest of a manifest names one file, so it covers sessions, times and lineage, and no two runs share one. This
one covers what training goes on from: parameters, optimizers, counters, random generators, environments, callbacks,
the rows of the replay buffer however they were divided into chunks. Wall-clock values that SB3's and Gymnasium's
monitors keep for their logs do not count: no training can depend on them and be repeated.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from validation_ch7.checkpoints.archive import Archive
from validation_ch7.checkpoints.graph import Node
from validation_ch7.checkpoints.lookup import chunks_beside
from validation_ch7.checkpoints.manifest import Replay
from validation_ch7.checkpoints.replay import living_rows
from validation_ch7.checkpoints.resume import STATE_NAME, TrainingState, read_state
from validation_ch7.errors import CheckpointCorruptError
from validation_ch7.files import sha256_bytes

_SEVERAL = ("model", "callbacks")
"""Entries of the training state whose own entries are parts of their own."""
_NO_STATE = frozenset({"version"})
_IN_ARRAYS = frozenset({"array", "scalar", "tensor", "view", "torchgen", "bytes", "bytearray"})
_GENERATOR = "rng_"
_EPISODE = frozenset({"r", "l", "t"})
_CLOCKS: tuple[tuple[frozenset[str], frozenset[str]], ...] = (
    (
        frozenset({"t_start", "episode_times", "episode_returns", "episode_lengths"}),  # SB3's Monitor
        frozenset({"t_start", "episode_times"}),
    ),
    (
        frozenset({"t_start", "episode_returns", "episode_lengths", "episode_count"}),  # SB3's VecMonitor
        frozenset({"t_start"}),
    ),
    (
        frozenset({"episode_start_time", "time_queue", "return_queue", "length_queue"}),  # RecordEpisodeStatistics
        frozenset({"episode_start_time", "time_queue"}),
    ),
)
"""What an object has by which a monitor is known, subclasses included, and which of it is wall-clock time."""


_PLACES = frozenset({"best_model_save_path", "log_path", "save_path"})
"""Attributes of SB3's callbacks that say in which folder of this machine their files lie."""


def state_digest(archive: Archive, chunks: Path | None = None) -> str:
    """Return one digest over all that training goes on from; see :func:`state_parts`."""
    return digest_of(state_parts(archive, chunks))


def digest_of(parts: Mapping[str, str]) -> str:
    """Return one digest over the digests of the parts of a training state.

    >>> digest_of({"a": "1", "b": "2"}) == digest_of({"b": "2", "a": "1"})
    True
    """
    return _text_digest(dict(parts))


def state_parts(archive: Archive, chunks: Path | None = None) -> dict[str, str]:
    """Return a digest for each part of the training state of a verified checkpoint, by name.

    Args:
        archive: the checkpoint, read.
        chunks: folder of its replay chunks; by default the one that belongs to its path.

    Raises:
        CheckpointCorruptError: the state is malformed, or a replay chunk is missing or altered.
    """
    manifest = archive.manifest
    parts = {name: member.sha256 for name, member in manifest.members.items() if name.endswith(".pth")}
    parts["steps"] = _text_digest(manifest.steps)
    if STATE_NAME in archive.members:
        parts |= _plain_parts(read_state(archive))
    if manifest.replay is not None:
        parts |= _replay_parts(chunks_beside(archive.path) if chunks is None else chunks, manifest.replay)
    return parts


def _plain_parts(state: TrainingState) -> dict[str, str]:
    try:
        nodes = _nodes(state.state)
        reading = _Reading(state.arrays, nodes)
        parts = {name: _text_digest(reading.content(node)) for name, node in nodes.items()}
    except (RecursionError, KeyError, TypeError, ValueError, AttributeError) as fault:
        raise CheckpointCorruptError(
            "The training state of a checkpoint cannot be read.",
            where=state.where,
            expected="nodes as this package writes them",
            found=f"{type(fault).__name__}: {fault}",
            remedy="the previous checkpoint is used where there is one",
        ) from None
    generators = [name for name in state.arrays if name.startswith(_GENERATOR)]
    return parts | {f"generators.{name.removeprefix(_GENERATOR)}": reading.arrays[name] for name in generators}


def _nodes(state: Mapping[str, Node]) -> dict[str, Node]:
    nodes = {name: node for name, node in state.items() if name not in _NO_STATE.union(_SEVERAL)}
    for group in _SEVERAL:
        nodes |= {f"{group}.{name}": node for name, node in (state.get(group) or {}).items()}
    nodes |= {name: _placeless(node) for name, node in nodes.items() if name.startswith("callbacks.")}
    episodes = nodes.get("model.ep_info_buffer")
    if isinstance(episodes, dict) and isinstance(episodes.get("v"), list):
        nodes["model.ep_info_buffer"] = episodes | {"v": [_timeless(item) for item in episodes["v"]]}
    return nodes


def _placeless(node: Node) -> Node:
    """Return the state of a callback, and of those inside it, without the folders that they write to.

    >>> _placeless({"attributes": {"n_calls": {"value": 3}, "log_path": {"value": "/tmp/a"}}})
    {'attributes': {'n_calls': {'value': 3}}}
    """
    if isinstance(node, list):
        return [_placeless(item) for item in node]
    if not isinstance(node, dict) or "$" in node:
        return node
    kept = node.items() if "attributes" in node else ((key, node[key]) for key in node.keys() - _PLACES)
    return {key: _placeless(item) for key, item in kept}


class _Reading:
    """One pass over the nodes of a training state, of which it keeps the content and not the way it was written.

    Arrays stand by their digests. Objects are numbered within their part, so that one object more in one part
    changes no other.
    """

    def __init__(self, arrays: Mapping[str, NDArray[Any]], nodes: Mapping[str, Node]) -> None:
        self.arrays = {name: _array_digest(array) for name, array in arrays.items()}
        self._places = {
            index: [name, place] for name, node in nodes.items() for place, index in enumerate(sorted(_marks(node)))
        }

    def content(self, node: Node, within: bool = False) -> Any:
        """Return what ``node`` holds; ``within`` says that its arrays and references are those of a worker's own."""
        if isinstance(node, list):
            return [self.content(item, within) for item in node]
        if not isinstance(node, dict):
            return node
        kind = node.get("$")
        if kind == "dict" and any(key == "$" for key, _ in node["v"]):
            return self.content(_unwrapped(node), True)
        if kind == "ref" and not within:
            return {"$": "ref", "v": self._places[node["v"]]}
        if kind in _IN_ARRAYS and not within:
            node = node | {"v": self.arrays[node["v"]]}
        found = {
            key: self.content(item, within) for key, item in _material(node).items() if within or not _mark(node, key)
        }
        if kind in ("set", "frozenset"):
            found["v"] = sorted(found["v"], key=_text)  # texts lie in an order of their process
        return found


def _mark(node: Mapping[str, Node], key: str) -> bool:
    return key == "i" and "$" in node


def _marks(node: Node) -> list[int]:
    if isinstance(node, list):
        return [index for item in node for index in _marks(item)]
    if not isinstance(node, dict):
        return []
    own = [node["i"]] if "$" in node and "i" in node else []
    return own + [index for item in node.values() for index in _marks(item)]


def _material(node: dict[str, Node]) -> dict[str, Node]:
    """Return a node without wall-clock values."""
    if node.get("$") == "object":
        clocks = [clocks for known, clocks in _CLOCKS if known <= node["v"].keys()]
        return node | {"v": {name: item for name, item in node["v"].items() if not any(name in one for one in clocks)}}
    if node.get("$") == "dict":
        return node | {"v": [[key, _timeless(item) if key == "episode" else item] for key, item in node["v"]]}
    return node


def _timeless(node: Node) -> Node:
    """Return the summary of an episode without the time that it took.

    >>> _timeless({"$": "dict", "i": 4, "v": [["r", 9.0], ["l", 9], ["t", 0.31]]})
    {'$': 'dict', 'i': 4, 'v': [['r', 9.0], ['l', 9]]}
    """
    if not isinstance(node, dict) or node.get("$") != "dict":
        return node
    summary = {key for key, _ in node["v"] if isinstance(key, str)} >= _EPISODE
    return node | {"v": [pair for pair in node["v"] if pair[0] != "t"]} if summary else node


def _unwrapped(node: Node) -> Any:
    """Return plain data that was captured as an object: the state that a worker process has written by itself.

    >>> _unwrapped({"$": "dict", "i": 1, "v": [["$", "list"], ["v", {"$": "list", "i": 2, "v": [1]}]]})
    {'$': 'list', 'v': [1]}
    """
    if isinstance(node, list):
        return [_unwrapped(item) for item in node]
    if not isinstance(node, dict) or node.get("$") not in ("dict", "list"):
        return node
    if node["$"] == "list":
        return [_unwrapped(item) for item in node["v"]]
    return {key: _unwrapped(item) for key, item in node["v"]}


def _replay_parts(folder: Path, replay: Replay) -> dict[str, str]:
    content: dict[str, Any] = {}
    for rows in living_rows(folder, replay):
        for name, array in rows.items():
            if name not in content:
                content[name] = hashlib.sha256(f"{array.dtype.str}{array.shape[1:]}".encode())
            content[name].update(array.tobytes())
    # Not how many were ever added: a run that could not know says the smallest number that explains its buffer.
    position = [replay.capacity, replay.added % replay.capacity, replay.added >= replay.capacity]
    return {"replay": _text_digest(position)} | {f"replay.{name}": found.hexdigest() for name, found in content.items()}


def _array_digest(array: NDArray[Any]) -> str:
    return sha256_bytes(f"{array.dtype.str}{array.shape}".encode() + np.asarray(array).tobytes())


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def _text_digest(value: Any) -> str:
    return sha256_bytes(_text(value).encode())
