import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.verification.reading import only_issue
from validation_ch7.checkpoints.manifest import Compatibility, Manifest, Member
from validation_ch7.cli import verify_system as command
from validation_ch7.section_run import SectionRun
from validation_ch7.session import Exactness
from validation_ch7.verification import system
from validation_ch7.verification.cycle import differing_members, session_faults
from validation_ch7.verification.finding import Finding, Grade, Verdict, guarded

SCRIPT = Path(__file__).resolve().parents[2] / "verify_checkpoint_system.py"
RUN = SectionRun(
    success=True,
    status="completed",
    backend="local",
    kernel_slug="local/x",
    session_id="s",
    scenario="miniature",
    steps_before=0,
    steps_after=128,
    target_steps=256,
    resumed_from=None,
    exactness="exact",
    restored_files=(),
    results_dir=None,
    training_dir="",
    mean_reward=None,
    warnings=(),
)


def manifest(**members: str) -> Manifest:
    facts = Compatibility(
        algorithm="DQN",
        observation_space="",
        action_space="",
        policy="",
        architecture="",
        activation="",
        vec_normalize=False,
        n_envs=1,
    )
    listed = {name.replace("__", "."): Member(bytes=1, sha256=digit * 64) for name, digit in members.items()}
    return Manifest(
        scenario="x",
        steps=1,
        session_id="s",
        created="",
        exactness=Exactness.EXACT,
        compatibility=facts,
        members=listed,
    )


def quick(*findings: Finding):
    """Return a stand-in for the list of checks, so that the command runs without the long ones."""
    return lambda *_: {"stand-in": lambda: findings}


def invoke(monkeypatch: pytest.MonkeyPatch, *findings: Finding, arguments: tuple[str, ...] = ()):
    monkeypatch.setattr(system, "checks", quick(*findings))
    return CliRunner().invoke(command.verify_system, list(arguments))


def test_a_verification_ends_with_the_three_counts_and_the_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    result = invoke(monkeypatch, Finding("a", Grade.SUCCESS, "fine"), Finding("b", Grade.WARNING, "new"))
    assert result.stdout.splitlines()[-4:] == [
        "✅ Successes: 1",
        "⚠️ Warnings: 1",
        "❌ Issues: 0",
        "✅ CHECKPOINT SYSTEM VERIFIED",
    ]
    assert result.exit_code == 0


def test_one_issue_is_enough_for_exit_code_1(monkeypatch: pytest.MonkeyPatch) -> None:
    result = invoke(monkeypatch, Finding("a", Grade.ISSUE, "broken", "repair it"))
    assert result.stdout.splitlines()[-1] == "❌ CHECKPOINT SYSTEM NOT VERIFIED"
    assert "to do: repair it" in result.stdout
    assert result.exit_code == 1


def test_json_is_one_object_on_standard_output(monkeypatch: pytest.MonkeyPatch) -> None:
    result = invoke(monkeypatch, Finding("a", Grade.ISSUE, "broken"), arguments=("--json",))
    told = json.loads(result.stdout)
    assert (told["verified"], told["issues"], told["findings"][0]["text"]) == (False, 1, "broken")


@pytest.mark.parametrize(
    "arguments", [("--no-such-flag",), ("--workspace", str(SCRIPT)), ("--workspace", "no such folder")]
)
def test_wrong_usage_is_exit_code_2(monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]) -> None:
    assert invoke(monkeypatch, arguments=arguments).exit_code == 2


def test_a_check_that_breaks_is_an_issue_and_the_others_go_on() -> None:
    def broken():
        yield Finding("a", Grade.SUCCESS, "so far")
        raise RuntimeError("surprise")

    selected = {"a": broken, "b": lambda: [Finding("b", Grade.SUCCESS, "fine")]}
    verdict = system.verify(Path(), selected, lambda _: None)
    assert [finding.check for finding in verdict.findings] == ["a", "a", "b"]
    assert "surprise" in only_issue(verdict.findings).text


def test_interrupts_are_not_findings() -> None:
    def interrupted():
        raise KeyboardInterrupt
        yield

    with pytest.raises(KeyboardInterrupt):
        list(guarded("a", interrupted()))


def test_every_check_has_a_name_and_online_adds_one(tmp_path: Path) -> None:
    offline, online = (system.checks(tmp_path, tmp_path, {}, flag) for flag in (False, True))
    assert set(online) - set(offline) == {"kaggle"}
    assert "cycle" in offline and len(offline) == 14


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"success": False, "status": "killed"}, "killed"),
        ({"steps_after": 64}, "expected 0 -> 128"),
        ({"resumed_from": "x.zip"}, "resumed from x.zip"),
        ({"exactness": "statistical"}, "statistical"),
    ],
)
def test_the_cycle_believes_no_session_that_says_something_else(changes: dict[str, object], word: str) -> None:
    assert session_faults(RUN, None, 128) == []
    (fault,) = session_faults(replace(RUN, **changes), None, 128)  # type: ignore[arg-type]
    assert word in fault


def test_the_cycle_notices_a_second_session_that_starts_at_zero() -> None:
    again = session_faults(RUN, RUN, 256)
    assert any("expected 128 -> 256" in fault for fault in again) and any("nothing" in fault for fault in again)


def test_the_cycle_compares_weights_and_training_state() -> None:
    one = manifest(policy__pth="1", training_state__npz="2", data="3")
    assert differing_members(one, manifest(policy__pth="1", training_state__npz="2", data="4")) == []
    assert differing_members(one, manifest(policy__pth="9", training_state__npz="2", data="3")) == ["policy.pth"]
    assert differing_members(one, manifest(policy__pth="1", data="3")) == ["training_state.npz"]


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
def test_help_works_on_any_console(encoding: str) -> None:
    environ = {**os.environ, "PYTHONIOENCODING": encoding}
    child = subprocess.run([sys.executable, str(SCRIPT), "--help"], env=environ, capture_output=True, check=False)
    assert child.returncode == 0 and b"--online" in child.stdout


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
def test_verdict_is_shown_on_any_console(encoding: str) -> None:
    lines = "from validation_ch7.console import Console; from validation_ch7.verification.finding import Verdict\n"
    lines += "for line in Verdict('.', ()).closing_lines(): Console().say(line)"
    environ = {**os.environ, "PYTHONIOENCODING": encoding, "PYTHONPATH": str(SCRIPT.parent)}
    child = subprocess.run([sys.executable, "-c", lines], env=environ, capture_output=True, check=True)
    assert b"CHECKPOINT SYSTEM VERIFIED" in child.stdout and not child.stderr


def test_verdict_counts_each_grade_once() -> None:
    findings = tuple(Finding("a", grade, "") for grade in Grade)
    verdict = Verdict(".", findings)
    assert [verdict.count(grade) for grade in Grade] == [1, 1, 1] and not verdict.verified


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_whole_verification_of_a_new_workspace(tmp_path: Path, encoding: str) -> None:
    environ = {**os.environ, "PYTHONIOENCODING": encoding}
    command = [sys.executable, str(SCRIPT), "--workspace", str(tmp_path), "--json"]
    child = subprocess.run(command, env=environ, capture_output=True, check=False)
    told = json.loads(child.stdout)
    assert (child.returncode, told["verified"]) == (0, True), child.stderr.decode(encoding)
    assert [item["grade"] for item in told["findings"] if item["check"] == "cycle"] == ["success"] * 3
    assert b"Traceback" not in child.stderr and not (tmp_path / "validation_ch7").exists()
