"""The commands ``export`` and ``import`` on a real training tree, to a folder and to an S3 server."""

import json

import pytest

from tests.chain.conftest import place
from tests.cli.conftest import PREFIX, Tree, call, made, plain, tree
from tests.sharing.conftest import SECRET

__all__ = ["call", "made", "place", "tree"]


def test_store_goes_to_s3_and_into_a_new_folder(call, tree, bucket, tmp_path):
    sent = plain(call("export", bucket.url, "--store", tree.root, "--json"))
    again = plain(call("export", bucket.url, "--store", tree.root, "--json"))
    assert sent["sent_bytes"] > 0 and again["sent_bytes"] == 0 and again["reused_bytes"] == sent["sent_bytes"]
    got = plain(call("import", bucket.url, "--store", tmp_path / "new one", "--json"))
    assert (got["steps"], got["prefix"], got["received_bytes"]) == (304, PREFIX, sent["sent_bytes"])
    verified = call("checkpoints", "verify", "--store", tmp_path / "new one")
    assert verified.exit_code == 0, verified.output


def test_training_tree_goes_from_one_workspace_to_another(call, tree, tmp_path):
    (tmp_path / "other").mkdir()
    assert call("export", tmp_path / "usb stick", "--workspace", tree.workspace).exit_code == 0
    refused = call("import", tmp_path / "usb stick", "--workspace", tmp_path / "other")
    assert refused.exit_code == 5 and "INCOMPATIBILITY" in refused.output  # the tree holds another algorithm
    assert Tree(tmp_path / "other").store.paths() == []


def test_import_makes_a_workspace_that_does_not_exist_once_there_is_something_to_bring(call, place, tmp_path):
    place.run(quick=True)
    new, config = tmp_path / "new one", ("--config", place.config)
    assert call("import", tmp_path / "copy", "--workspace", new, *config).exit_code == 5  # nothing lies there yet
    assert not new.exists()
    assert call("export", tmp_path / "copy", "--workspace", place.root, *config).exit_code == 0
    assert plain(call("import", tmp_path / "copy", "--workspace", new, *config, "--json"))["steps"] == 256
    assert Tree(new).store.newest_steps() == 256


def test_earlier_state_comes_back_by_its_index(call, tree, tmp_path):
    first = plain(call("export", tmp_path / "t", "--store", tree.root, "--json"))
    tree.store.path(304).unlink()
    plain(call("export", tmp_path / "t", "--store", tree.root, "--json"))
    assert plain(call("import", tmp_path / "t", "--store", tmp_path / "a", "--json"))["steps"] == 200
    words = ("import", tmp_path / "t", "--store", tmp_path / "b", "--index", first["index"], "--json")
    assert plain(call(*words))["steps"] == 304


@pytest.mark.parametrize("index", ["", "x" * 64, "../../../etc/passwd"])
def test_index_that_is_no_digest_is_usage(call, tree, tmp_path, index):
    assert call("import", tmp_path, "--store", tree.root, "--index", index).exit_code == 2


def test_place_without_a_store_is_told(call, tree, tmp_path):
    result = call("import", tmp_path / "nothing", "--store", tree.root)
    assert result.exit_code == 5 and "No store lies there" in result.stderr


def test_wrong_credentials_are_one_message_without_the_secret(call, tree, bucket):
    bucket.require_known_keys()
    result = call("export", bucket.url, "--store", tree.root, "--json")
    assert result.exit_code == 3 and not json.loads(result.stdout)["success"]
    assert "Traceback" not in result.output and SECRET not in result.output
