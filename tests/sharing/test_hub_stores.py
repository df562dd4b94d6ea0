"""Whole stores on the Hub, by its own client against a server that stands in for it."""

import json
import subprocess
import sys

import pytest

from tests.checkpoints.little import readable, store_at
from tests.cli.conftest import PREFIX, ROOT, call, made, plain, tree
from tests.sharing.conftest import TOKEN
from validation_ch7.errors import (
    BackendError,
    CheckpointCorruptError,
    CheckpointNotFoundError,
    ConfigurationError,
    CredentialsError,
)
from validation_ch7.files import sha256_bytes, sha256_file
from validation_ch7.sharing import export_store, import_store, open_place, read_index
from validation_ch7.sharing.index import index_name, object_name

__all__ = ["call", "made", "tree"]
ADDRESS, REPOSITORY = "hf://me/road/runs", "models/me/road"


def bring(root, address=ADDRESS):
    store = store_at(root)
    return store, import_store(store, open_place(address), lambda line: None)


def digests(store):
    return {path.relative_to(store.root).as_posix(): sha256_file(path) for path in store.root.rglob("*.[nz]*p*")}


def uploaded(hub):
    return {sha256_bytes(body) for body in hub.bodies("PUT", "^/lfs/")}


def on_the_hub(entry):
    return f"runs/{object_name(entry.sha256)}"


@pytest.mark.parametrize("address", [ADDRESS, "hf://datasets/me/road/runs/of 2026", "HF://models/me/road/runs/"])
def test_store_comes_back_byte_for_byte(run, hub, tmp_path, address):
    done = export_store(run.store, open_place(address))
    store, got = bring(tmp_path / "other", address)
    assert readable(store) == [10, 5] and store.best().reward == 2.0 and got.received_bytes == done.sent_bytes
    assert digests(store) == digests(run.store) and len(digests(store)) > 3


def test_everything_appears_in_one_commit_of_a_private_repository(run, hub):
    done = export_store(run.store, open_place(ADDRESS))
    before, after = hub.commits[REPOSITORY]
    assert list(before) == [".gitattributes"] and f"runs/{index_name('task')}" in after
    assert {on_the_hub(entry) for entry in done.index.files.values()} < set(after)
    [wish] = [json.loads(body) for body in hub.bodies("POST", "/repos/create")]
    assert wish.get("visibility") == "private" or wish.get("private") is True, wish


def test_second_export_of_the_same_sends_and_commits_nothing(run, hub):
    export_store(run.store, open_place(ADDRESS))
    hub.asked.clear()
    assert export_store(run.store, open_place(ADDRESS)).sent == ()
    assert {method for method, _, _ in hub.asked} <= {"GET", "HEAD"} and len(hub.commits[REPOSITORY]) == 2


def test_export_after_more_training_sends_what_is_new(run, hub, tmp_path):
    first = export_store(run.store, open_place(ADDRESS))
    hub.asked.clear()
    run.save()
    second = export_store(run.store, open_place(ADDRESS))
    new = {second.index.files[name].sha256 for name in second.sent}
    assert uploaded(hub) == new and len(hub.bodies("PUT", "^/lfs/")) == len(new)
    assert new and not new & {entry.sha256 for entry in first.index.files.values()}
    assert sum(map(len, hub.bodies("PUT", "^/lfs/"))) == second.sent_bytes < first.sent_bytes
    assert second.index.previous == first.version and len(hub.commits[REPOSITORY]) == 3
    assert readable(bring(tmp_path / "other")[0]) == [15, 10, 5]


def test_export_that_breaks_off_shows_nothing_and_goes_on(run, hub, tmp_path):
    hub.uploads_left = 2
    with pytest.raises(BackendError, match="cannot be used"):
        export_store(run.store, open_place(ADDRESS))
    assert len(hub.commits[REPOSITORY]) == 1
    with pytest.raises(CheckpointNotFoundError, match="No store lies there"):
        read_index(open_place(ADDRESS), "task")
    there = set(hub.stored)
    hub.uploads_left = 99
    hub.asked.clear()
    export_store(run.store, open_place(ADDRESS))
    assert len(there) == 2 and uploaded(hub) and not there & uploaded(hub)
    assert readable(bring(tmp_path / "other")[0]) == [10, 5]


def test_what_a_commit_holds_is_compared_with_what_was_sent(run, hub, tmp_path):
    plan = export_store(run.store, open_place(str(tmp_path / "folder"))).index
    entry = next(iter(plan.files.values()))
    hub.altered = {on_the_hub(entry): b"\0" * entry.bytes}
    with pytest.raises(BackendError, match="something else") as caught:
        export_store(run.store, open_place(ADDRESS))
    assert entry.sha256 in str(caught.value) and "--check" in str(caught.value)


def test_small_text_that_a_commit_holds_is_compared_too(hub):
    place = open_place(ADDRESS)
    place.replace("x", b"what was sent")
    hub.altered = {"runs/x": b"what was SENT"}
    with pytest.raises(BackendError, match="something else"):
        place.commit()


def test_file_that_a_commit_lacks_is_noticed(run, hub):
    hub.ignored = "objects/"
    with pytest.raises(BackendError, match="no such file"):
        export_store(run.store, open_place(ADDRESS))


def test_altered_object_is_refused_by_import_and_replaced_by_check(run, hub, tmp_path):
    done = export_store(run.store, open_place(ADDRESS))
    entry = next(iter(done.index.files.values()))
    hub.push(on_the_hub(entry), b"\0" * entry.bytes)
    with pytest.raises(CheckpointCorruptError, match="not what its digest says"):
        bring(tmp_path / "one")
    again = export_store(run.store, open_place(ADDRESS), check=True)
    assert (len(again.sent), again.version) == (1, done.version)  # the index stays; what was replaced is committed
    assert readable(bring(tmp_path / "two")[0]) == [10, 5]


def test_object_of_another_length_is_sent_again(run, hub):
    done = export_store(run.store, open_place(ADDRESS))
    entry = next(iter(done.index.files.values()))
    hub.push(on_the_hub(entry), b"\0cut")
    assert len(export_store(run.store, open_place(ADDRESS)).sent) == 1
    assert sha256_bytes(hub.files()[on_the_hub(entry)]) == entry.sha256


def test_lost_race_commits_nothing_and_the_same_again_works(run, hub):
    first = export_store(run.store, open_place(ADDRESS))
    run.save()
    place = open_place(ADDRESS)
    place.sizes("")
    hub.push("README.md", b"somebody else")
    with pytest.raises(BackendError, match="changed meanwhile; nothing was committed") as caught:
        export_store(run.store, place)
    assert "same command again" in str(caught.value)
    assert read_index(open_place(ADDRESS), "task") == first.index
    hub.asked.clear()
    assert export_store(run.store, place).index.steps == 15
    assert uploaded(hub) == set() and hub.files()["README.md"] == b"somebody else"


def test_import_reads_from_one_commit(run, hub):
    done = export_store(run.store, open_place(ADDRESS))
    place = open_place(ADDRESS)
    assert place.sizes("")
    hub.push(f"runs/{index_name('task')}", b"{}")
    assert read_index(place, "task") == done.index


@pytest.mark.parametrize("status", [401, 403])
def test_refusal_is_one_clear_error_without_the_token(run, hub, status):
    hub.status = status
    place = open_place(ADDRESS)
    for ask in (lambda: export_store(run.store, place), lambda: place.create("x", b"1"), lambda: place.sizes("")):
        with pytest.raises(CredentialsError, match="The Hub") as caught:
            ask()
        assert TOKEN not in str(caught.value) and "HF_TOKEN" in str(caught.value)


def test_repository_that_is_not_there_holds_no_store(hub, tmp_path):
    with pytest.raises(CheckpointNotFoundError, match="No store lies there"):
        bring(tmp_path / "other")
    assert hub.commits == {}


@pytest.mark.parametrize(
    "address",
    [
        "hf://",
        "hf://me",
        "hf://datasets/me/road",
        "hf://spaces/me/road/runs",
        "hf://me/road/../other",
        "hf://me/road/.git",
        "hf://me/road//runs",
        "hf://me/road@main/runs",
        f"hf://me:{TOKEN}@x/road/runs",
    ],
)
def test_address_of_no_folder_on_the_hub_is_refused(address):
    with pytest.raises(ConfigurationError, match="no place on the Hub") as caught:
        open_place(address)
    assert TOKEN not in str(caught.value)


# By the commands


def test_store_goes_to_the_hub_and_into_a_new_folder(call, tree, hub, tmp_path):
    sent = plain(call("export", ADDRESS, "--store", tree.root, "--json"))
    again = plain(call("export", ADDRESS, "--store", tree.root, "--check", "--json"))
    assert (sent["place"], sent["sent_bytes"] > 0, again["sent"]) == (ADDRESS, True, [])
    got = plain(call("import", ADDRESS, "--store", tmp_path / "new one", "--json"))
    assert (got["steps"], got["prefix"], got["received_bytes"]) == (304, PREFIX, sent["sent_bytes"])
    assert call("checkpoints", "verify", "--store", tmp_path / "new one").exit_code == 0
    earlier = call("import", ADDRESS, "--store", tmp_path / "b", "--index", sent["index"])
    assert earlier.exit_code == 0 and "goes on from step 304" in earlier.stdout


def test_store_goes_to_the_hub_from_a_new_process(run, hub, monkeypatch):
    for name, value in {"ENDPOINT": hub.endpoint, "TOKEN": TOKEN, "HUB_DISABLE_XET": "1"}.items():
        monkeypatch.setenv(f"HF_{name}", value)
    words = [sys.executable, "-m", "validation_ch7", "export", ADDRESS, "--store", run.store.root, "--json"]
    ran = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=400)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert json.loads(ran.stdout)["success"] and f"runs/{index_name('task')}" in hub.files()


def test_store_and_best_model_share_a_public_repository(call, tree, hub, tmp_path):
    assert call("export", ADDRESS, "--store", tree.root, "--public").exit_code == 0
    assert call("export", "hf://me/road", "--store", tree.root).exit_code == 0
    assert "README.md" in hub.files() and f"runs/{index_name(PREFIX)}" in hub.files()
    [wish, _] = [json.loads(body) for body in hub.bodies("POST", "/repos/create")]
    assert wish.get("visibility") == "public" or wish.get("private") is False, wish
    for address, folder in ((ADDRESS, "a"), ("hf://me/road", "b")):
        assert plain(call("import", address, "--store", tmp_path / folder, "--json"))["steps"] == 304


def test_wrong_token_is_one_message_without_it(call, tree, hub):
    hub.token = "hf_another"
    for command in ("export", "import"):
        result = call(command, ADDRESS, "--store", tree.root, "--json")
        assert result.exit_code == 3 and not json.loads(result.stdout)["success"]
        assert "Traceback" not in result.output and TOKEN not in result.output
