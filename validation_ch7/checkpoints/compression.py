"""Zstandard for replay chunks, where it was asked for and where it pays: images shrink, noise does not."""

from __future__ import annotations

import importlib
from typing import Any

from validation_ch7.errors import CheckpointCorruptError, ConfigurationError

_LEVEL = 3
_WORTH = 0.9
"""A chunk that does not shrink below this part of its size is stored as it is."""


def require_zstandard(where: str) -> Any:
    """Return the module that compresses.

    Raises:
        ConfigurationError: it is not installed.
    """
    try:
        return importlib.import_module("zstandard")
    except ModuleNotFoundError:
        raise ConfigurationError(
            "Compressed replay chunks need a package that is not installed.",
            where=where,
            expected="zstandard",
            remedy='python -m pip install "validation-ch7[compression]"',
        ) from None


def compressed(data: bytes) -> bytes | None:
    """Return ``data`` compressed, or None where that does not pay; the same data gives the same bytes."""
    packed: bytes = require_zstandard("compress_replay").ZstdCompressor(level=_LEVEL).compress(data)
    return packed if len(packed) <= _WORTH * len(data) else None


def decompressed(packed: bytes, size: int, where: object) -> bytes:
    """Return the data that :func:`compressed` was given; ``size`` is checked before anything is allocated.

    Raises:
        CheckpointCorruptError: it is no such data, or of another size.
    """
    module = require_zstandard(str(where))
    try:
        stated = module.frame_content_size(packed)
        if stated != size:
            raise ValueError(f"it would unpack to {stated} bytes instead of {size}")
        data: bytes = module.ZstdDecompressor().decompress(packed, max_output_size=size)
    except (module.ZstdError, ValueError, MemoryError) as fault:
        raise CheckpointCorruptError(
            "A replay chunk cannot be decompressed.",
            where=where,
            expected=f"{size} bytes",
            found=str(fault),
            remedy="the previous checkpoint is used where there is one",
        ) from None
    return data
