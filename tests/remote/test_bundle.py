from __future__ import annotations

import hashlib
import io
import os
import zipfile
from collections import Counter
from pathlib import Path

import pytest

from tests.remote.sessions import make_bundle, make_code_root, make_plan
from validation_ch7.errors import CheckpointCorruptError, ConfigurationError, StorageError
from validation_ch7.remote.bundle import BUNDLE_NAME, build_bundle, unpack_bundle
from validation_ch7.remote.code import code_digest, code_files


def chunk(folder: Path, data: bytes) -> tuple[str, Path]:
    digest = hashlib.sha256(data).hexdigest()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{digest}.npz"
    path.write_bytes(data)
    return f"checkpoints/checkpoints/replay/{digest}.npz", path


def store(folder: Path, blocks: list[bytes], step: int = 100) -> dict[str, Path]:
    checkpoint = folder / f"s_checkpoint_{step}_steps.zip"
    folder.mkdir(parents=True, exist_ok=True)
    checkpoint.write_bytes(b"checkpoint %d" % step)
    return {
        f"checkpoints/checkpoints/{checkpoint.name}": checkpoint,
        **dict(chunk(folder / "replay", b) for b in blocks),
    }


def test_everything_comes_out_as_it_went_in(tmp_path):
    files = store(tmp_path / "store", [b"a" * 1000, b"b" * 1000])
    bundle = make_bundle(tmp_path, files=files)
    index = unpack_bundle(bundle.path, tmp_path / "out", bundle.sha256)
    for name, path in files.items():
        assert (tmp_path / "out" / name).read_bytes() == path.read_bytes()
    assert (tmp_path / "out" / "code" / "validation_ch7" / "training" / "run_session.py").is_file()
    assert bundle.path.name == BUNDLE_NAME
    assert index["code_sha256"] == code_digest(tmp_path / "code")


def test_same_contents_give_the_same_bytes(tmp_path):
    files = store(tmp_path / "store", [b"a" * 1000])
    one, two = (make_bundle(tmp_path / name, files=files) for name in ("one", "two"))
    assert one.sha256 == two.sha256
    assert one.path.read_bytes() == two.path.read_bytes()


def test_any_flipped_byte_is_refused(tmp_path):
    bundle = make_bundle(tmp_path, files=store(tmp_path / "store", [b"a" * 5000]))
    data = bytearray(bundle.path.read_bytes())
    data[data.index(b"a" * 100) + 50] ^= 1
    bundle.path.write_bytes(data)
    with pytest.raises(CheckpointCorruptError, match="cannot be used"):
        unpack_bundle(bundle.path, tmp_path / "out", bundle.sha256)


def test_truncated_bundle_is_refused(tmp_path):
    bundle = make_bundle(tmp_path)
    bundle.path.write_bytes(bundle.path.read_bytes()[:-100])
    with pytest.raises(CheckpointCorruptError, match="cannot be used"):
        unpack_bundle(bundle.path, tmp_path / "out", bundle.sha256)


def test_bundle_of_another_session_is_refused(tmp_path):
    one, two = make_bundle(tmp_path, "session-1"), make_bundle(tmp_path, "session-2")
    with pytest.raises(CheckpointCorruptError, match=one.sha256[:12]):
        unpack_bundle(two.path, tmp_path / "out", one.sha256)


@pytest.mark.parametrize(
    "name", ["checkpoints/../../evil", "/etc/evil", "checkpoints//evil", "checkpoints\\evil", "C:/evil"]
)
def test_name_that_leaves_the_bundle_is_refused(tmp_path, name):
    (tmp_path / "file").write_bytes(b"x")
    with pytest.raises(ConfigurationError, match="leave its folder"):
        make_bundle(tmp_path, files={name: tmp_path / "file"})


def test_hostile_member_name_is_refused_when_unpacking(tmp_path):
    bundle = make_bundle(tmp_path, files=store(tmp_path / "store", []))
    index = b'{"members": {"../evil": {"bytes": 1, "sha256": "0"}}, "code_sha256": ""}'
    with zipfile.ZipFile(tmp_path / "evil.bundle", "w") as archive:
        archive.writestr("../evil", "x")
        archive.writestr("bundle.json", index)
    with pytest.raises(CheckpointCorruptError, match="leave its folder"):
        unpack_bundle(tmp_path / "evil.bundle", tmp_path / "a" / "out", hashlib.sha256(index).hexdigest())
    assert not (tmp_path / "a" / "evil").exists()
    assert bundle.path.is_file()


def test_pain_27_credentials_never_travel(tmp_path):
    root = make_code_root(tmp_path / "code") / "validation_ch7"
    for name in ("kaggle.json", "access_token", "credentials.json", ".env", "server.pem", "data/models/x.json"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("s3cr3t-planted", encoding="utf-8")
    travelling = {path.name for path in code_files(tmp_path / "code").values()}
    assert travelling == {"__init__.py", "run_session.py"}
    assert b"s3cr3t-planted" not in make_bundle(tmp_path).path.read_bytes()
    with pytest.raises(ConfigurationError, match="must not travel"):
        make_bundle(tmp_path, files={"checkpoints/kaggle.json": root / "kaggle.json"})


def test_pain_16_code_that_changed_after_planning_is_refused(tmp_path):
    root = make_code_root(tmp_path / "code")
    plan = make_plan().model_copy(update={"code_sha256": code_digest(root)})
    (root / "validation_ch7" / "new.py").write_text("x = 1\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="code has changed"):
        build_bundle(tmp_path / "x.bundle", plan=plan, code_root=root)


def test_unchanged_chunks_stay_where_they_are(tmp_path):
    blocks = [bytes([number]) * 10_000 for number in range(100)]
    code, target = make_code_root(tmp_path / "code"), tmp_path / BUNDLE_NAME
    build_bundle(target, plan=make_plan(), code_root=code, files=store(tmp_path / "store", blocks))
    with zipfile.ZipFile(target) as archive:
        before = {info.filename: info.header_offset for info in archive.infolist() if "/replay/" in info.filename}
    inode = target.stat().st_ino
    files = store(tmp_path / "new", [*blocks[1:], b"new" * 3000], step=200)
    second = build_bundle(target, plan=make_plan("session-2"), code_root=code, files=files)
    with zipfile.ZipFile(target) as archive:
        after = {info.filename: info.header_offset for info in archive.infolist() if "/replay/" in info.filename}
        assert archive.testzip() is None
    assert len([name for name, offset in after.items() if before.get(name) == offset]) == 99
    assert target.stat().st_ino == inode or os.name == "nt"
    fresh = build_bundle(tmp_path / "fresh.bundle", plan=make_plan("session-2"), code_root=code, files=files)
    assert fresh.sha256 == second.sha256
    assert second.bytes < fresh.bytes * 1.02
    index = unpack_bundle(target, tmp_path / "out", second.sha256)
    assert {name for name in index["members"] if name.startswith("checkpoints/")} == set(files)


class Counted:
    """A file that counts, by its name, what is read from and written to it."""

    def __init__(self, stream, path, counts):
        self._stream, self._path, self._counts = stream, path, counts

    def read(self, *size):
        data = self._stream.read(*size)
        self._counts[self._path, "read"] += len(data)
        return data

    def write(self, data):
        self._counts[self._path, "written"] += len(data)
        return self._stream.write(data)

    def __getattr__(self, name):
        return getattr(self._stream, name)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._stream.close()


def test_unchanged_chunks_are_neither_read_nor_hashed_nor_packed_twice(tmp_path, monkeypatch):
    blocks = [bytes([number]) * 100_000 for number in range(50)]
    code, target = make_code_root(tmp_path / "code"), tmp_path / BUNDLE_NAME
    build_bundle(target, plan=make_plan(), code_root=code, files=store(tmp_path / "store", blocks))
    files = store(tmp_path / "store", [*blocks, b"new" * 1000], step=200)
    counts, opened = Counter(), io.open

    def counting(file, mode="r", *arguments, **options):
        stream = opened(file, mode, *arguments, **options)
        return Counted(stream, Path(file).name, counts) if "b" in mode else stream

    monkeypatch.setattr(io, "open", counting)
    second = build_bundle(target, plan=make_plan("session-2"), code_root=code, files=files)
    monkeypatch.undo()
    touched = {name for name, _ in counts}
    [new] = {path.name for path in files.values() if path.stat().st_size == 3000}
    assert {path.name for path in files.values()} & touched == {new, "s_checkpoint_200_steps.zip"}
    assert counts[f".partial-{BUNDLE_NAME}", "written"] > 3000
    moved = sum(size for (name, _), size in counts.items() if BUNDLE_NAME in name)
    assert moved < 100_000 < second.bytes / 40  # lists and what is new: less than one of fifty old chunks
    unpack_bundle(target, tmp_path / "out", second.sha256)


def test_bundle_with_many_dead_chunks_is_written_anew(tmp_path):
    blocks = [bytes([number]) * 10_000 for number in range(20)]
    code, target = make_code_root(tmp_path / "code"), tmp_path / BUNDLE_NAME
    first = build_bundle(target, plan=make_plan(), code_root=code, files=store(tmp_path / "store", blocks))
    files = store(tmp_path / "new", blocks[15:], step=200)
    second = build_bundle(target, plan=make_plan(), code_root=code, files=files)
    assert second.bytes < first.bytes / 2
    unpack_bundle(target, tmp_path / "out", second.sha256)


def test_bundle_that_a_session_reads_is_not_built_upon(tmp_path):
    files = store(tmp_path / "store", [b"a" * 10_000])
    first = make_bundle(tmp_path, files=files)
    os.link(first.path, tmp_path / "input.bundle")
    make_bundle(tmp_path, files={**files, **store(tmp_path / "store", [b"b" * 10_000], step=200)})
    unpack_bundle(tmp_path / "input.bundle", tmp_path / "out", first.sha256)


def test_damaged_previous_bundle_does_not_stop_the_next(tmp_path):
    files = store(tmp_path / "store", [b"a" * 10_000])
    make_bundle(tmp_path, files=files).path.write_bytes(b"PK\x03\x04 rubbish")
    bundle = make_bundle(tmp_path, files=files)
    unpack_bundle(bundle.path, tmp_path / "out", bundle.sha256)


def test_missing_checkpoint_file_is_one_clear_error(tmp_path):
    with pytest.raises(StorageError, match="No such file"):
        make_bundle(tmp_path, files={"checkpoints/checkpoints/x.zip": tmp_path / "gone.zip"})
    assert not (tmp_path / "session-1" / BUNDLE_NAME).exists()
