from __future__ import annotations

import json
import shlex

import pytest
from click import Group

from tests.cli.conftest import HOSTILE, PREFIX, SECTION, child, plain, write_summary
from validation_ch7.checkpoints.inventory import newest_usable
from validation_ch7.cli.leaf import PROGRAM
from validation_ch7.cli.main import main
from validation_ch7.journal import Journal, JournalEntry, Phase


@pytest.fixture
def journal(tree) -> Journal:
    return Journal(tree.workspace / "validation_output" / "sessions")


def record(journal, session_id, phase=Phase.CLOSED, **fields):
    entry = JournalEntry(
        session_id=session_id, section=SECTION, scenario=PREFIX, backend="local", created=journal.now(), phase=phase,
        target_steps=1000, **fields,
    )  # fmt: skip
    return journal.record(entry)


def test_status_tells_sessions_rewards_and_the_next_command(call, tree, journal):
    results = tree.workspace / "validation_output" / "results" / "local_one"
    write_summary(results / SECTION, "one", -12.5)
    moved = f"C:\\elsewhere\\{results.name}"
    record(journal, "one", status="completed", steps_after=304, results_dir=moved)
    result = call("status", "--workspace", tree.workspace)
    assert result.exit_code == 0
    for text in ("304 of 1,000 (30.4 %)", "-12.50", "0 → 304", "9.50 at 304 steps", "goes on from step 304", "exact"):
        assert text in result.stdout
    data = plain(call("status", "--workspace", tree.workspace, "--json"))
    assert (data["steps"], data["target_steps"], data["mean_reward"]) == (304, 1000, -12.5)
    assert data["next_command"].startswith("python -m validation_ch7 run --workspace ")
    assert data["next_command"].endswith("--algorithm dqn --timesteps 1000")


def test_unfinished_session_is_what_comes_next(call, tree, journal):
    record(journal, "left", Phase.SUBMITTED, quick=True)
    data = plain(call("status", "--workspace", tree.workspace, "--json"))
    assert data["unfinished"] == ["left"] and "--quick" in data["next_command"]
    assert "attaches to session left" in call("status", "--workspace", tree.workspace).stdout


def test_met_target_is_raised_by_the_next_command(call, tree, journal):
    record(journal, "one", steps_after=304)
    journal.advance("one", Phase.CLOSED, target_steps=304)
    assert plain(call("status", "--workspace", tree.workspace, "--json"))["next_command"].endswith("--timesteps 608")


def test_session_that_was_cut_while_it_was_evaluated_is_repeated_and_its_target_not_raised(call, tree, journal):
    record(journal, "one", status="interrupted", steps_after=304)
    journal.advance("one", Phase.CLOSED, target_steps=304)
    assert plain(call("status", "--workspace", tree.workspace, "--json"))["next_command"].endswith("--timesteps 304")


def cut(path):
    path.write_bytes(path.read_bytes()[:-100])


def renamed(path):
    path.rename(path.with_name(path.name.replace("304", "1000")))


@pytest.mark.parametrize(("damage", "name"), [(cut, "304"), (renamed, "1000")])
def test_steps_are_those_of_the_checkpoint_that_the_next_run_resumes_from(call, tree, journal, damage, name):
    record(journal, "one", steps_after=304)
    journal.advance("one", Phase.CLOSED, target_steps=300)
    damage(tree.store.path(304))
    shown = call("status", "--workspace", tree.workspace).stdout
    assert "200 of 300 (66.7 %)" in shown and "Next (goes on from step 200):" in shown
    data = plain(call("status", "--workspace", tree.workspace, "--json"))
    [damaged] = data["damaged"]
    assert (data["steps"], data["newest"]) == (200, tree.store.path(200).name)
    assert f"{PREFIX}_checkpoint_{name}_steps.zip is newer, but the next run passes it over: " in shown
    assert damaged["reason"] and damaged["reason"].split()[0] in shown
    assert data["next_command"].endswith("--timesteps 300")


def test_status_reads_older_checkpoints_only_where_the_newest_is_damaged(tree):
    tree.damage(200)
    assert [item.steps for item in newest_usable(tree.store)] == [304]
    tree.damage(304)
    assert [(item.steps, item.next) for item in newest_usable(tree.store)] == [(304, False), (200, False), (104, True)]


def test_store_without_a_usable_checkpoint_says_what_starts_anew(call, tree, journal):
    for path in tree.store.paths():
        cut(path)
    result = call("status", "--workspace", tree.workspace)
    assert "none yet" not in result.stdout.split("newest checkpoint")[1].splitlines()[0]
    assert "no checkpoint can be used" in result.stdout and "--fresh" in result.stdout


def test_hostile_journal_is_shown_and_harmless(call, tree, journal):
    record(journal, "one", error=HOSTILE, status="failed\x1b[2J", results_dir="../../..")
    (journal.folder / "two.json").write_text("{\x1b[2J")
    result = call("status", "--workspace", tree.workspace)
    assert result.exit_code == 0 and "\x1b" not in result.stdout
    assert "two.json in the journal cannot be read" in result.stdout


def test_many_sessions_are_cut_short(call, tree, journal):
    for number in range(13):
        record(journal, f"s{number}")
    assert "and 3 earlier session(s)" in call("status", "--workspace", tree.workspace).stdout
    assert len(plain(call("status", "--workspace", tree.workspace, "--sessions", "2", "--json"))["sessions"]) == 2


def test_empty_workspace_has_a_next_command_too(call, tmp_path):
    result = call("status", "--workspace", tmp_path)
    assert result.exit_code == 0 and "starts training at step 0" in result.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("words", [["--workspace", "nowhere/at/all"], ["--scenario", "x"], ["--sessions", "-1"], ["x"]])
def test_wrong_flags_are_usage(call, words):
    result = call("status", *words)
    assert (result.exit_code, result.stdout) == (2, "")


def test_module_is_the_command():
    ran = child("--version")
    assert (ran.returncode, ran.stdout.decode().split(",")[0]) == (0, "validation-ch7")


def test_run_is_the_command_of_the_script(call, tmp_path):
    result = call("run", "--quick", "--dry-run", "--backend", "local", "--workspace", tmp_path)
    assert result.exit_code == 0 and "Dry run" in result.stdout


def commands(group, path=()):
    for name, command in group.commands.items():
        yield (*path, name), command
        if isinstance(command, Group):
            yield from commands(command, (*path, name))


LEAVES = [(path, command) for path, command in commands(main) if not isinstance(command, Group)]
EVERY_LEAF = pytest.mark.parametrize(("path", "command"), LEAVES, ids=[" ".join(path) for path, _ in LEAVES])


@EVERY_LEAF
def test_every_command_speaks_json_and_has_help_with_examples_in_80_columns(call, path, command):
    assert command.help
    assert "--json" in {flag for option in command.params for flag in option.opts}
    lines = call(*path, "--help", env={"COLUMNS": "80"}).stdout.splitlines()
    assert max(map(len, lines)) <= 80
    below = lines[lines.index("  Examples:") + 1 :]
    shown = [line.strip().split("  ")[0] for line in below if line.startswith(f"    {PROGRAM} ")]
    assert shown and all(example.startswith(f"{PROGRAM} {' '.join(path)}") for example in shown)
    for example in shown:
        command.make_context(path[-1], shlex.split(example)[1 + len(path) :])


def test_help_of_groups_fits_into_80_columns_too(call):
    for path in [(), *(path for path, command in commands(main) if isinstance(command, Group))]:
        assert max(map(len, call(*path, "--help", env={"COLUMNS": "80"}).stdout.splitlines())) <= 80
    assert "1 a fault of this program" in call("--help").stdout


@EVERY_LEAF
def test_wrong_flag_is_one_json_object_where_json_is_wanted(call, path, command):
    result = call(*path, "--nonsense", "--json")
    told = json.loads(result.stdout)
    assert (result.exit_code, told["exit_code"], told["success"]) == (2, 2, False)
    assert "--nonsense" in told["error"] and "--nonsense" in result.stderr


def test_command_that_does_not_exist_is_one_json_object_too(call):
    for words in (["nonsense", "--json"], ["checkpoints", "nonsense", "--json"], ["--json"]):
        assert json.loads(call(*words).stdout)["exit_code"] == 2
        plain_words = [word for word in words if word != "--json"]
        assert "Usage" in call(*plain_words).output
