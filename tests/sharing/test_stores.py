"""Stores sent and brought back: what is sent, what is seen, what is refused, and that nothing here is lost."""

import json
from pathlib import Path

import pytest

from tests.checkpoints.little import LittleRun, readable, store_at
from validation_ch7.checkpoints.backup import list_backups
from validation_ch7.errors import (
    BackendError,
    CheckpointCorruptError,
    CheckpointNotFoundError,
    ConfigurationError,
    WorkspaceLockedError,
)
from validation_ch7.files import sha256_bytes
from validation_ch7.sharing import export_store, import_store, open_place, read_index
from validation_ch7.sharing.index import index_name, object_name, only_prefix
from validation_ch7.sharing.place import read_all


class Counting:
    """A place that counts what is written, and breaks off when told."""

    def __init__(self, place, most=10**9):
        self.place, self.shown, self.most, self.names, self.bytes = place, place.shown, most, [], 0

    def _count(self, name, data):
        if len(self.names) >= self.most:
            raise BackendError("the network is gone")
        self.names.append(name)
        self.bytes += len(data)

    def create(self, name, data):
        self._count(name, data)
        self.place.create(name, data)

    def replace(self, name, data):
        self._count(name, data)
        self.place.replace(name, data)

    def sizes(self, folder):
        return self.place.sizes(folder)

    def blocks(self, name):
        return self.place.blocks(name)

    def holds(self, name, size, sha256):
        return self.place.holds(name, size, sha256)

    def commit(self):
        self.place.commit()


@pytest.fixture
def there(tmp_path):
    return Counting(open_place(str(tmp_path / "there")))


def bring(place, root, **options):
    store = store_at(root)
    return store, import_store(store, place, lambda line: None, **options)


def test_store_comes_back_whole_from_every_place(run, place, tmp_path):
    done = export_store(run.store, place)
    objects = {entry.sha256: entry.bytes for entry in done.index.files.values()}
    assert (done.sent_bytes, done.reused_bytes) == (sum(objects.values()), 0)
    store, got = bring(place, tmp_path / "other")
    assert readable(store) == [10, 5] and store.best().reward == 2.0
    assert (got.received_bytes, got.reused_bytes) == (done.sent_bytes, 0)
    assert store.paths()[0].read_bytes() == run.store.paths()[0].read_bytes()
    assert not list(store.root.glob(".import-*"))


def test_second_export_sends_nothing_and_writes_nothing(run, there):
    first = export_store(run.store, there)
    there.names.clear()
    second = export_store(run.store, there)
    assert (there.names, second.sent, second.sent_bytes) == ([], (), 0)
    assert second.version == first.version and second.reused_bytes == first.sent_bytes


def test_export_after_more_training_sends_what_is_new(run, there):
    export_store(run.store, there)
    there.bytes = 0
    new = run.save(3)
    done = export_store(run.store, there)
    chunks = [name for name in done.sent if "replay" in name]
    assert [name for name in done.sent if "replay" not in name] == [f"checkpoints/{new.name}"]
    size = sum((run.store.root / name).stat().st_size for name in done.sent)
    assert len(chunks) == 1 and done.sent_bytes == size
    assert there.bytes == size + 2 * len(done.index.as_bytes()) + _index_before(there, done)


def _index_before(there, done):
    return len(read_all(there, object_name(done.index.previous), 1 << 20))


@pytest.mark.parametrize("most", range(6))
def test_export_that_breaks_off_shows_nothing_and_goes_on_where_it_was(run, there, most):
    there.most = most
    with pytest.raises(BackendError, match="network is gone"):
        export_store(run.store, there)
    with pytest.raises(CheckpointNotFoundError, match="No store lies there"):
        read_index(there, "task")
    before, there.most = set(there.names), 10**9
    there.names.clear()
    done = export_store(run.store, there)
    objects = {object_name(entry.sha256) for entry in done.index.files.values()}
    assert not objects & before & set(there.names)


def test_index_is_written_last(run, there):
    export_store(run.store, there)
    assert there.names[-1] == index_name("task") and there.names.count(index_name("task")) == 1


def test_file_that_does_not_arrive_as_sent_is_noticed(run, there, monkeypatch):
    monkeypatch.setattr(there.place, "create", lambda name, data: there.place.replace(name, data[:-1] + b"?"))
    with pytest.raises(BackendError, match="does not return what was sent"):
        export_store(run.store, there)


def test_check_finds_and_replaces_what_was_damaged_there(run, there):
    done = export_store(run.store, there)
    entry = next(iter(done.index.files.values()))
    there.place.replace(object_name(entry.sha256), b"?" * entry.bytes)
    assert export_store(run.store, there).sent == ()
    assert len(export_store(run.store, there, check=True).sent) >= 1
    assert export_store(run.store, there, check=True).sent == ()


def test_object_cut_by_another_tool_is_sent_again(run, there):
    done = export_store(run.store, there)
    entry = next(iter(done.index.files.values()))
    there.place.replace(object_name(entry.sha256), b"cut")
    assert export_store(run.store, there).sent_bytes >= entry.bytes


def test_damaged_checkpoint_is_left_out_and_told(run, there):
    path = run.store.path(5)
    path.write_bytes(path.read_bytes()[:-40])
    done = export_store(run.store, there)
    assert [name for name, _ in done.left_out] == [path.name] and done.index.steps == 10


def test_store_without_checkpoints_is_not_sent(store, there):
    with pytest.raises(CheckpointNotFoundError, match="no checkpoint"):
        export_store(store, there)
    assert there.names == []


def test_checkpoint_that_a_run_removes_meanwhile_does_not_end_the_export(run, there):
    gone = run.store.path(5)
    create = there.place.create

    def create_and_lose(name, data):
        gone.unlink(missing_ok=True)
        create(name, data)

    there.place.create = create_and_lose
    done = export_store(run.store, there)
    assert done.index.steps == 10


def test_two_stores_share_a_place(run, there, tmp_path):
    other = store_at(tmp_path / "second", "other")
    with other.exclusive("test"):
        LittleRun(other).save()
    export_store(run.store, there)
    export_store(other, there)
    with pytest.raises(ConfigurationError, match="Several stores"):
        only_prefix(there)
    assert read_index(there, "task").steps == 10 and read_index(there, "other").steps == 5


def test_earlier_index_can_still_be_brought(run, there, tmp_path):
    first = export_store(run.store, there)
    run.save()
    second = export_store(run.store, there)
    assert second.index.previous == first.version
    store, _ = bring(there, tmp_path / "other", version=first.version)
    assert readable(store) == [10, 5]


# Bringing


def test_nothing_here_is_replaced_without_a_backup(run, there, tmp_path):
    export_store(run.store, there)
    mine = store_at(tmp_path / "mine")
    with mine.exclusive("test"):
        own = LittleRun(mine, max_keep=9)
        own.save(5, reward=7.0)
        own.save(7)
    before = mine.path(5).read_bytes()
    bring(there, mine.root)
    [backup] = list_backups(mine)
    assert (backup.path / "checkpoints" / mine.path(5).name).read_bytes() == before
    assert readable(mine) == [12, 10, 5]


def test_worse_best_model_does_not_replace_the_better_one(run, there, tmp_path):
    export_store(run.store, there)
    mine = store_at(tmp_path / "mine")
    with mine.exclusive("test"):
        path = LittleRun(mine).save(4, reward=9.0)
        archive = mine.read(path)
        mine.commit_best(archive.manifest, archive.members)
    bring(there, mine.root)
    assert mine.best().reward == 9.0


def test_second_import_receives_nothing_and_changes_nothing(run, there, tmp_path):
    export_store(run.store, there)
    store, first = bring(there, tmp_path / "other")
    _, second = bring(there, store.root)
    assert second.received_bytes == 0 and second.reused_bytes == first.received_bytes
    assert second.admission.backup is None and readable(store) == [10, 5]


def test_import_that_breaks_off_goes_on_where_it_was(run, there, tmp_path, monkeypatch):
    total = export_store(run.store, there).sent_bytes
    asked = []
    blocks = there.place.blocks

    def flaky(name):
        asked.append(name)
        if len(asked) == 4:
            raise BackendError("the network is gone")
        return blocks(name)

    monkeypatch.setattr(there.place, "blocks", flaky)
    with pytest.raises(BackendError, match="network is gone"):
        bring(there, tmp_path / "other")
    assert store_at(tmp_path / "other").paths() == []
    _, done = bring(there, tmp_path / "other")
    assert 0 < done.received_bytes < total and readable(store_at(tmp_path / "other")) == [10, 5]


def test_tree_in_use_is_left_alone(run, there):
    export_store(run.store, there)
    with run.store.exclusive("training"), pytest.raises(WorkspaceLockedError, match="Another process"):
        bring(there, run.store.root)


def edited(there, change):
    data = json.loads(read_all(there, index_name("task"), 1 << 20))
    change(data)
    there.place.replace(index_name("task"), json.dumps(data).encode())


def name_of(there):
    return next(name for name in json.loads(read_all(there, index_name("task"), 1 << 20))["files"] if "zip" in name)


@pytest.mark.parametrize(
    "name",
    [
        "../evil.zip",
        "checkpoints/../../evil.zip",
        "/etc/evil.zip",
        "C:/evil.zip",
        "checkpoints/..\\..\\evil.zip",
        "checkpoints/replay/evil.npz",
        f"checkpoints/replay/{'0' * 64}.npz",
        "checkpoints/other_checkpoint_5_steps.zip",
        "checkpoints/task_checkpoint_05_steps.zip",
        "training_metadata.json",
        "best_model/best_model.zip/x",
        "backups/x/checkpoints/task_checkpoint_5_steps.zip",
        "",
        ".",
        "con",
        "checkpoints/task_checkpoint_5_steps.zip\0",
    ],
)
def test_index_that_names_what_no_store_holds_is_refused(run, there, tmp_path, name):
    export_store(run.store, there)
    edited(there, lambda data: data["files"].update({name: data["files"][name_of(there)]}))
    with pytest.raises(CheckpointCorruptError, match="cannot be used"):
        bring(there, tmp_path / "deep" / "other")
    assert not list(tmp_path.rglob("*evil*")) and not (tmp_path / "deep").exists()


@pytest.mark.parametrize("data", [b"", b"[]", b"{", b"[" * 10**5, b'{"format": "x"}', b"\xff"])
def test_index_that_is_none_is_refused(there, tmp_path, data):
    there.place.replace(index_name("task"), data)
    with pytest.raises(CheckpointCorruptError, match=r"cannot be (read|used)"):
        bring(there, tmp_path / "other")


def damage_content(there, entry):
    there.place.replace(object_name(entry["sha256"]), b"?" * entry["bytes"])


def damage_length(there, entry):
    there.place.replace(object_name(entry["sha256"]), b"?" * (10 * entry["bytes"]))


def damage_end(there, entry):
    there.place.replace(object_name(entry["sha256"]), b"")


@pytest.mark.parametrize("damage", [damage_content, damage_length, damage_end])
def test_object_that_is_not_its_digest_changes_nothing_here(run, there, tmp_path, damage):
    export_store(run.store, there)
    data = json.loads(read_all(there, index_name("task"), 1 << 20))
    damage(there, data["files"][name_of(there)])
    with pytest.raises(CheckpointCorruptError, match="not what its digest says"):
        bring(there, tmp_path / "other")
    assert store_at(tmp_path / "other").paths() == []


def test_forged_checkpoint_under_a_right_digest_is_rejected_by_the_admission(run, there, tmp_path):
    export_store(run.store, there)
    forged = b"PK no zip at all"
    there.place.create(object_name(sha256_bytes(forged)), forged)
    entry = {"bytes": len(forged), "sha256": sha256_bytes(forged)}
    edited(there, lambda data: data["files"].update({"checkpoints/task_checkpoint_99_steps.zip": entry}))
    store, done = bring(there, tmp_path / "other")
    assert [name for name, _ in done.admission.rejected] == ["task_checkpoint_99_steps.zip"]
    assert readable(store) == [10, 5]


def test_missing_object_is_told(run, there, tmp_path):
    export_store(run.store, there)
    data = json.loads(read_all(there, index_name("task"), 1 << 20))
    (Path(there.shown) / object_name(data["files"][name_of(there)]["sha256"])).unlink()
    with pytest.raises(CheckpointNotFoundError, match="not there"):
        bring(there, tmp_path / "other")


def test_index_of_another_store_under_this_name_is_refused(run, there, tmp_path):
    export_store(run.store, there)
    there.place.replace(index_name("other"), read_all(there, index_name("task"), 1 << 20))
    with pytest.raises(CheckpointCorruptError, match="not the one that its name states"):
        import_store(store_at(tmp_path / "x", "other"), there, print)
