"""A model published on the Hub: against the fake, and its own client against a server that stands in for it."""

import io
import json
import sys
import zipfile

import pytest
import yaml
from stable_baselines3 import DQN
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.vec_env import VecNormalize

from tests.cli.conftest import call, cart_pole_model, made, tree
from tests.sharing.conftest import TOKEN
from validation_ch7.checkpoints import CheckpointStore, learn_resumable
from validation_ch7.checkpoints.backup import list_backups
from validation_ch7.errors import (
    BackendError,
    CheckpointCorruptError,
    CheckpointNotFoundError,
    ConfigurationError,
    CredentialsError,
)
from validation_ch7.sharing.hub import HuggingFace, publish_best, repository_of
from validation_ch7.sharing.hub_import import bring_model, fetch_model

__all__ = ["call", "made", "tree"]


class FakeHub:
    def __init__(self):
        self.commits = []

    def publish(self, repository, files, message, *, private):
        self.commits.append((repository, dict(files), private))
        return f"https://hub.example/{repository}/commit/1"

    def names(self, repository):
        return list(self.commits[-1][1])

    def read(self, repository, name):
        return self.commits[-1][1][name]


@pytest.fixture
def published(tree):
    hub = FakeHub()
    publish_best(tree.store, "me/road", hub)
    [(_, files, private)] = hub.commits
    assert private
    return files


def test_repository_has_the_files_of_the_convention_in_one_commit(published):
    model = "dqn-traffic_light_control.zip"
    texts = {"config.json", "results.json", "README.md"}
    assert set(published) == {model, "checkpoint.zip", "vec_normalize.pkl", *texts}
    names = zipfile.ZipFile(io.BytesIO(published[model])).namelist()
    assert "policy.pth" in names and "manifest.json" not in names


def test_published_model_is_loaded_by_plain_sb3_with_its_normalisation(published, tmp_path):
    for name, data in published.items():
        (tmp_path / name).write_bytes(data)
    model = DQN.load(tmp_path / "dqn-traffic_light_control.zip")
    env = VecNormalize.load(str(tmp_path / "vec_normalize.pkl"), make_vec_env("CartPole-v1", 1))
    assert model.num_timesteps == 304 and env.obs_rms.count > 100
    assert model.predict(env.reset())[0].shape == (1,)


def test_published_model_comes_back_whole_and_training_goes_on_from_it(tree, tmp_path):
    hub = FakeHub()
    publish_best(tree.store, "me/road", hub)
    store = CheckpointStore(tmp_path / "new", tree.store.prefix)
    found = fetch_model("me/road", hub)
    done = bring_model(store, found, print)
    assert (found.prefix, done.steps, done.misfits) == (tree.store.prefix, 304, ())
    assert store.verify(store.path(304)).digest == tree.store.best().digest
    result = learn_resumable(cart_pole_model(), 312, store, asynchronous=False)
    assert (result.steps_before, result.steps_after, result.exactness) == (304, 312, "weights-only")


def test_model_that_others_published_comes_as_weights_after_a_backup(tree, tmp_path):
    hub = FakeHub()
    model = cart_pole_model()
    model.num_timesteps = 5000
    model.save(tmp_path / "dqn-CartPole-v1.zip")
    hub.commits.append(("me/road", {"dqn-CartPole-v1.zip": (tmp_path / "dqn-CartPole-v1.zip").read_bytes()}, True))
    done = bring_model(tree.store, fetch_model("me/road", hub), print)
    assert (done.steps, done.exactness, tree.store.newest_steps()) == (5000, "weights-only", 5000)
    assert done.backup is not None and len(done.backup.files) > 3
    result = learn_resumable(cart_pole_model(), 5004, tree.store, asynchronous=False)
    assert (result.steps_before, result.exactness) == (5000, "weights-only")


def test_model_of_steps_that_are_here_changes_nothing(tree):
    hub = FakeHub()
    publish_best(tree.store, "me/road", hub)
    before = {path.name: path.read_bytes() for path in tree.store.paths()}
    with pytest.raises(ConfigurationError, match="here already"):
        bring_model(tree.store, fetch_model("me/road", hub), print)
    assert {path.name: path.read_bytes() for path in tree.store.paths()} == before and not list_backups(tree.store)


@pytest.mark.parametrize(
    ("files", "error", "words"),
    [
        ({"README.md": b""}, CheckpointNotFoundError, "one model"),
        ({"a.zip": b"", "b.zip": b""}, CheckpointNotFoundError, "one model"),
        ({"a.zip": b"no zip at all"}, CheckpointCorruptError, "."),
        ({"checkpoint.zip": b"no zip at all"}, CheckpointCorruptError, "."),
    ],
)
def test_repository_without_one_sound_model_changes_nothing(tree, files, error, words):
    hub = FakeHub()
    hub.commits.append(("me/road", files, True))
    with pytest.raises(error, match=words):
        bring_model(tree.store, fetch_model("me/road", hub), print)
    assert len(tree.store.paths()) == 3 and not list_backups(tree.store)


def test_card_tells_the_library_and_the_reward_to_the_hub(published):
    header = yaml.safe_load(published["README.md"].decode().split("---")[1])
    [measured] = header["model-index"]
    assert header["library_name"] == "stable-baselines3" and "reinforcement-learning" in header["tags"]
    assert measured["results"][0]["metrics"][0]["value"] == "9.50"
    assert json.loads(published["results.json"])["mean_reward"] == 9.5
    assert json.loads(published["config.json"])["algorithm"] == "DQN"


def test_newest_is_published_where_none_was_evaluated(tree):
    tree.store.best_path.unlink()
    hub = FakeHub()
    assert publish_best(tree.store, "me/road", hub).steps == 304
    assert "model-index" not in hub.commits[0][1]["README.md"].decode()


def test_empty_store_publishes_nothing(tmp_path, store):
    hub = FakeHub()
    with pytest.raises(CheckpointNotFoundError, match="no such checkpoint"):
        publish_best(store, "me/road", hub)
    assert hub.commits == []


@pytest.mark.parametrize("address", ["hf://", "hf://me", "hf://me/../x", "hf://me/a/b", "hf://user:pw@me/x"])
def test_address_of_no_repository_is_refused(address):
    with pytest.raises(ConfigurationError, match="no model repository"):
        repository_of(address)


def test_missing_library_is_told_with_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(ConfigurationError, match="library is missing") as caught:
        HuggingFace()
    assert "[hub]" in str(caught.value)


def test_client_of_the_hub_makes_one_commit(tree, hub):
    done = publish_best(tree.store, "me/road", HuggingFace())
    method, path, asked = hub.asked[0]
    wish = json.loads(asked)
    assert (method, path) == ("POST", "/api/repos/create")
    assert wish.get("visibility") == "private" or wish.get("private") is True, wish
    assert "/me/road/commit/" in done.address and len(hub.bodies("POST", "/commit/")) == 1
    assert set(done.files) < set(hub.files())


def test_what_lies_on_the_hub_is_compared_with_what_was_sent(tree, hub):
    hub.altered = {"results.json": b"{}"}
    with pytest.raises(BackendError, match="something else") as caught:
        publish_best(tree.store, "me/road", HuggingFace())
    assert "results.json" in str(caught.value)


def test_model_of_the_hub_is_brought_by_the_command(call, tree, tmp_path, hub):
    assert call("export", "hf://me/road", "--workspace", tree.workspace).exit_code == 0
    for words in (["--store", tmp_path / "one", "--json"], ["--store", tmp_path / "two"]):
        result = call("import", "hf://me/road", *words)
        assert result.exit_code == 0, result.output
    told = call("import", "hf://me/road", "--store", tmp_path / "one", "--json")
    assert "goes on from step 304" in result.stdout
    assert (told.exit_code, json.loads(told.stdout)["success"]) == (2, False)
    assert CheckpointStore(tmp_path / "one", tree.store.prefix).newest_steps() == 304
    assert not list(tmp_path.rglob("*.pkl"))


@pytest.mark.parametrize(("status", "error"), [(401, CredentialsError), (403, CredentialsError), (400, BackendError)])
def test_refusal_of_the_hub_is_one_clear_error_without_the_token(tree, hub, status, error):
    hub.status = status
    with pytest.raises(error, match="The Hub") as caught:
        publish_best(tree.store, "me/road", HuggingFace())
    assert TOKEN not in str(caught.value)
