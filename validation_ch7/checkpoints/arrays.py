"""Arrays in one npz file, written plainly and read with every size checked before anything is allocated.

The file is what ``numpy.savez`` writes and ``numpy.load`` opens: a zip of stored ``.npy`` members. It is
read here without ``numpy.load``, because a hostile header could ask for any amount of memory, and because
the digest of the whole file has been checked already, so that the zip's own checksums need not be.
"""

from __future__ import annotations

import io
import math
import threading
import tokenize
import zipfile
from collections.abc import Mapping

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from validation_ch7.errors import CheckpointCorruptError

Array = NDArray[np.generic]

_SUFFIX = ".npy"
_EPOCH = (1980, 1, 1, 0, 0, 0)
_LOCAL_HEADER = 30
_one_parser = threading.RLock()
"""CPython counts the depth of a parse once for all threads, and fails where two of them parse at a time."""


def pack_arrays(arrays: Mapping[str, Array]) -> bytes:
    """Return ``arrays`` as one npz file; the same arrays give the same bytes.

    Raises:
        ValueError: an array holds Python objects.

    >>> unpack_arrays(pack_arrays({"a": np.arange(3)}))["a"]
    array([0, 1, 2])
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            with archive.open(zipfile.ZipInfo(name + _SUFFIX, _EPOCH), "w", force_zip64=True) as member:
                npy.write_array(member, np.asanyarray(array), allow_pickle=False)
    return buffer.getvalue()


def unpack_arrays(data: bytes, where: object = "arrays") -> dict[str, Array]:
    """Return the arrays of an npz file, as read-only views into ``data``.

    Raises:
        CheckpointCorruptError: the bytes are no such file, or a member does not hold what its header says.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
            names = [member.filename for member in members]
            if len(set(names)) != len(names):
                raise ValueError("a member stands twice")
            return {_key(member): _array(data, member) for member in members}
    except (
        ValueError,
        OSError,
        zipfile.BadZipFile,
        SyntaxError,
        EOFError,
        OverflowError,
        NotImplementedError,
        RecursionError,
        MemoryError,
        TypeError,
        tokenize.TokenError,
    ) as fault:
        raise CheckpointCorruptError(
            "The arrays of a checkpoint cannot be read.",
            where=where,
            expected="a zip of stored .npy members without Python objects",
            found=str(fault),
            remedy="the previous checkpoint is used where there is one",
        ) from None


def _key(member: zipfile.ZipInfo) -> str:
    if not member.filename.endswith(_SUFFIX):
        raise ValueError(f"unexpected member {member.filename!r}")
    return member.filename.removesuffix(_SUFFIX)


def _array(data: bytes, member: zipfile.ZipInfo) -> Array:
    if member.compress_type != zipfile.ZIP_STORED or member.file_size != member.compress_size:
        raise ValueError(f"{member.filename} is compressed")
    offset = member.header_offset
    lengths = data[offset + 26 : offset + _LOCAL_HEADER]
    start = offset + _LOCAL_HEADER + int.from_bytes(lengths[:2], "little") + int.from_bytes(lengths[2:], "little")
    stop = start + member.file_size
    if stop > len(data):
        raise ValueError(f"{member.filename} reaches beyond the end of the file")
    stream = io.BytesIO(data[start : min(stop, start + 16384)])
    shape, fortran, dtype = _header(stream, member.filename)
    begin = start + stream.tell()
    if dtype.hasobject:
        raise ValueError(f"{member.filename} holds Python objects")
    if math.prod(shape) * dtype.itemsize != stop - begin:
        raise ValueError(f"{member.filename} does not hold {shape} of {dtype}")
    flat = np.frombuffer(data, dtype=dtype, count=math.prod(shape), offset=begin)
    return flat.reshape(shape, order="F" if fortran else "C")


def _header(stream: io.BytesIO, name: str) -> tuple[tuple[int, ...], bool, np.dtype[np.generic]]:
    version = npy.read_magic(stream)
    with _one_parser:
        if version == (1, 0):
            return npy.read_array_header_1_0(stream)
        if version == (2, 0):
            return npy.read_array_header_2_0(stream)
    raise ValueError(f"{name} has npy version {version}")
