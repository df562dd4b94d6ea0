from __future__ import annotations

import json
import re
import zipfile

import pytest

from tests.cli.conftest import PREFIX, STEPS, cart_pole_model, plain
from validation_ch7.checkpoints import CheckpointStore, learn_resumable


def test_list_shows_every_checkpoint_the_best_and_what_comes_next(ask):
    result = ask("list")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert [line.split()[0] for line in lines[2:6]] == ["304", "200", "104", "304"]
    assert "next, ok" in lines[2] and "best, ok" in lines[5]
    assert "exact" in lines[2] and "9.50" in lines[5]


def test_damaged_checkpoint_is_listed_with_the_reason_and_the_one_before_is_next(ask, tree):
    tree.damage(304)
    found = plain(ask("list", "--json"))["checkpoints"]
    assert [(item["steps"], item["standing"], item["next"]) for item in found[:2]] == [
        (304, "damaged", False),
        (200, "intact", True),
    ]
    assert found[0]["reason"]
    assert found[0]["reason"].split()[0] in ask("list").stdout


def test_missing_chunk_is_found_unless_verification_is_left_out(ask, tree):
    for chunk in tree.store.chunks.glob("*.npz"):
        chunk.unlink()
    assert {item["standing"] for item in plain(ask("list", "--json"))["checkpoints"][:3]} == {"damaged"}
    assert plain(ask("list", "--no-verify", "--json"))["checkpoints"][0]["standing"] == "not verified"


def test_quarantined_ones_are_listed_with_their_reasons(ask, tree):
    tree.store.quarantine(tree.store.path(304), "bits \x1b[31mfell over")
    assert "quarantined" in ask("list").stdout
    result = ask("quarantine", "list")
    assert "bits ?[31mfell over" in result.stdout and "\x1b" not in result.stdout
    (item,) = plain(ask("quarantine", "list", "--json"))["quarantined"]
    assert (item["steps"], item["kind"]) == (304, "quarantined")


def test_foreign_zip_is_listed_as_weights_only(ask, tree):
    with zipfile.ZipFile(tree.store.path(400), "w") as foreign:
        foreign.writestr("policy.pth", b"")
    (first, *_) = plain(ask("list", "--json"))["checkpoints"]
    assert (first["standing"], first["next"], first["steps"]) == ("weights only", True, 400)


def test_checkpoint_of_another_model_is_not_next_and_says_why(call, tree):
    (first, *_) = plain(call("checkpoints", "list", "--workspace", tree.workspace, "--json"))["checkpoints"]
    assert (first["standing"], first["next"]) == ("does not fit", False)
    text = call("checkpoints", "list", "--workspace", tree.workspace).stdout
    assert "Observation space: checkpoint=" in text and "--fresh" in text
    assert call("run", "--algorithm", "dqn", "--dry-run", "--workspace", tree.workspace).exit_code == 5


def test_empty_workspace_has_no_checkpoint_and_that_is_no_error(call, tmp_path):
    result = call("checkpoints", "list", "--workspace", tmp_path)
    assert (result.exit_code, "No checkpoint yet" in result.stdout) == (0, True)
    assert list(tmp_path.iterdir()) == []


def test_verify_reads_every_byte(ask, tree):
    assert ask("verify").exit_code == 0
    tree.damage(200)
    result = ask("verify")
    assert result.exit_code == 5
    assert f"✗ {PREFIX}_checkpoint_200_steps.zip: damaged" in result.stdout
    assert "3 of 4 verified" in result.stdout
    assert ask("verify", "304", "best").exit_code == 0
    assert json.loads(ask("verify", "200", "--json").stdout)["success"] is False


def test_verifying_nothing_is_no_success(call, tmp_path):
    result = call("checkpoints", "verify", "--workspace", tmp_path)
    assert (result.exit_code, result.stderr.count("❌")) == (5, 1)


def test_show_tells_lineage_and_facts(ask, tree):
    result = ask("show", "latest")
    assert result.exit_code == 0
    for text in (
        "verified, every byte",
        "DQN",
        "VecNormalize" if False else "vec normalize",
        "104 steps, session first",
    ):
        assert text in result.stdout
    assert "before that: step 0" in result.stdout
    data = plain(ask("show", "304", "--json"))
    assert data["manifest"]["steps"] == 304 and len(data["lineage"]) == 2


@pytest.mark.parametrize("way", ["304", "latest", "LATEST", "name", "stem", "path", "digest"])
def test_checkpoint_is_named_in_every_way(ask, tree, way):
    entry = tree.store.entries()[0]
    names = {"name": entry.path.name, "stem": entry.path.stem, "path": entry.path, "digest": entry.manifest.digest[:10]}
    assert plain(ask("show", names.get(way, way), "--json"))["steps"] == 304


def test_best_is_named_best(ask, tree):
    assert plain(ask("show", "best", "--json"))["path"] == str(tree.store.best_path)


@pytest.mark.parametrize("name", ["999", "nonsense", "../../no/such", "\x1b[2J", "a" * 5000, "C:\\x.zip", "¹", "-1.5"])
@pytest.mark.parametrize("command", ["show", "verify", "pin"])
def test_unknown_name_is_one_message(call, tree, command, name):
    result = call("checkpoints", command, "--workspace", tree.workspace, "--", name)
    assert result.exit_code in (2, 5)
    assert "Traceback" not in result.output and "\x1b" not in result.output
    assert result.stderr.count("❌") == 1


def test_diff_compares_facts_metrics_members_and_weights(ask):
    result = ask("diff", "104", "304")
    assert result.exit_code == 0
    for text in ("not the same", "Metrics", "policy.pth", "changed", "Weights:", "replay chunks", "policy.q_net."):
        assert text in result.stdout
    data = plain(ask("diff", "104", "304", "--json"))
    assert data["members"]["policy.pth"] == "changed" and not data["identical"]
    assert any(not item["equal"] and item["largest"] > 0 for item in data["weights"])
    assert data["shared_chunks"] >= 1


def test_diff_of_the_same_is_identical(ask):
    data = plain(ask("diff", "304", "latest", "--json"))
    assert (data["identical"], data["same_state"], data["relation"]) == (True, True, "the same checkpoint")


@pytest.fixture(scope="module")
def equal_runs(tmp_path_factory):
    """Return the last checkpoints of a run without and of one with an interruption."""
    ends = []
    for cuts in ([], [150]):
        store = CheckpointStore(tmp_path_factory.mktemp("run"), PREFIX)
        for length in [*cuts, None]:
            learn_resumable(cart_pole_model(), 300, store, save_freq=100, session_timesteps=length)
        ends.append(store.paths()[0])
    return ends


def test_diff_says_that_an_interrupted_run_ended_like_one_that_was_not(call, equal_runs, tree):
    result = call("checkpoints", "diff", *equal_runs, "--store", tree.root)
    assert result.exit_code == 0, result.output
    assert "the training state is the same, bit for bit" in result.stdout
    assert "times, sessions, lineage" in result.stdout and "other bytes, the same state" in result.stdout
    data = plain(call("checkpoints", "diff", *equal_runs, "--store", tree.root, "--json"))
    assert (data["same_state"], data["identical"]) == (True, False)
    assert data["a"]["state_digest"] == data["b"]["state_digest"] and data["a"]["digest"] != data["b"]["digest"]
    assert set(data["state"].values()) == {"equal"}


def test_show_and_list_tell_the_digest_of_the_state(call, equal_runs):
    digests = set()
    for path in equal_runs:
        shown = plain(call("checkpoints", "show", "latest", "--store", path.parent, "--json"))
        (first, *_) = plain(call("checkpoints", "list", "--store", path.parent, "--json"))["checkpoints"]
        text = call("checkpoints", "show", "latest", "--store", path.parent).stdout
        assert shown["state_digest"] == first["state_digest"] and shown["state_digest"][:40] in text
        digests.add(shown["state_digest"])
    assert len(digests) == 1 and None not in digests


def test_digest_of_the_state_is_unknown_where_not_every_byte_was_read(ask, tree):
    (first, *_) = plain(ask("list", "--no-verify", "--json"))["checkpoints"]
    assert first["state_digest"] is None
    tree.damage(304)
    assert plain(ask("list", "--json"))["checkpoints"][0]["state_digest"] is None


def test_diff_names_the_parts_of_the_state_that_differ(ask):
    data = plain(ask("diff", "104", "304", "--json"))
    assert not data["same_state"]
    assert {data["state"][name] for name in ("policy.pth", "steps", "generators.numpy", "replay.rewards")} == {
        "changed"
    }
    assert data["state"]["blueprint"] == "equal"
    assert "Training state that differs" in ask("diff", "104", "304").stdout


def test_diff_of_consecutive_ones_knows_their_relation(ask):
    assert plain(ask("diff", *STEPS[:2], "--json"))["relation"] == "B follows A directly"


def test_diff_with_a_damaged_one_is_one_message(ask, tree):
    tree.damage(304)
    result = ask("diff", "200", "304")
    assert (result.exit_code, result.stderr.count("❌")) == (5, 1)


def test_any_store_is_shown_without_a_section(call, tree):
    for folder in (tree.root, tree.store.folder):
        data = plain(call("checkpoints", "list", "--store", folder, "--json"))
        assert (data["prefix"], len(data["checkpoints"])) == (PREFIX, 4)


@pytest.mark.parametrize(
    "flags",
    [
        ["--store", "{root}", "--prefix", "a/b"],
        ["--store", "{root}/nowhere"],
        ["--workspace", "{root}/nowhere"],
        ["--workspace", "{root}/training_metadata.json"],
        ["--scenario", "unknown"],
        ["--prefix", "alone"],
        ["--config", "{root}/no.yml"],
        ["--store", "{root}/backups"],
        ["--unknown"],
    ],
)
def test_wrong_flags_are_one_message_and_usage(call, tree, flags):
    (tree.root / "backups").mkdir()
    result = call("checkpoints", "list", *(flag.format(root=tree.root) for flag in flags))
    assert (result.exit_code, result.stdout) == (2, "")
    assert len(re.findall("❌|^Error:", result.stderr, re.MULTILINE)) == 1


def test_several_prefixes_must_be_told_apart(call, tree):
    tree.store.path(104).rename(tree.store.folder / "other_checkpoint_1_steps.zip")
    result = call("checkpoints", "list", "--store", tree.root)
    assert result.exit_code == 2 and "other, traffic_light_control" in result.stderr
    assert (
        len(plain(call("checkpoints", "list", "--store", tree.root, "--prefix", "other", "--json"))["checkpoints"]) >= 1
    )


def test_fault_with_json_is_one_object(ask):
    result = ask("show", "999", "--json")
    data = json.loads(result.stdout)
    assert (result.exit_code, data["exit_code"], data["success"]) == (5, 5, False)
