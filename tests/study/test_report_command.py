"""``study report`` over chains that were really trained: evaluated once, reported in full, and again the same."""

import json

import pytest
from click.testing import CliRunner

from tests.chain.in_process import InProcessBackend
from tests.study.test_study import run
from validation_ch7.cli.study import report, status
from validation_ch7.errors import ConfigurationError, SessionFailedError
from validation_ch7.files import sha256_file
from validation_ch7.reporting.study.collect import collect

EVALUATION = """
evaluation:
  seeds: {first: 1010003, count: 3}
  tuning_seeds: {first: 1020003, count: 2}
  cases: {near: {title: near saturation}}
  controllers: [webster, greedy]
  oracle: {depth: 2, seeds: 2}
  grid: {seeds: 2}
  bootstrap: {resamples: 100}
"""


@pytest.fixture
def judged(place):
    place.file.write_text(place.file.read_text("utf-8") + EVALUATION, encoding="utf-8")
    return place


def command(place, *flags):
    return CliRunner().invoke(report, [*place.flags, "--config", str(place.config), *flags])


def digests(folder):
    return {path.name: sha256_file(path) for path in folder.iterdir()}


def test_report_of_a_trained_study_is_complete_and_repeats_without_evaluating_again(judged):
    run(judged)
    first = command(judged, "--json")
    assert first.exit_code == 0, first.output
    told = json.loads(first.stdout)
    assert (told["status"], told["full_protocol"], told["missing"]) == ("complete", False, [])
    assert [verdict["algorithm"] for verdict in told["verdicts"]] == ["ppo"] * 4
    folder = judged.root / "validation_output" / "reports" / "tiny"
    assert "learning_curve_traffic_light_control.pdf" in told["files"]
    before = digests(folder)
    again = command(judged)
    assert "9 of 9 tasks are done already" in again.output and "[EVALUATION] 1/" not in again.output
    assert "reduced study: 2 training seeds instead of the 10" in again.output
    assert digests(folder) == before


def gathered(place, **flags):
    return collect(place.spec, place.root, place.config, place.lines.append, **flags)


def test_chain_that_is_not_at_its_end_is_missing_with_the_reason(judged):
    run(judged)
    path = judged.folder.workspace("ppo-traffic_light_control-1")
    (final,) = (path / "validation_ch7").rglob("checkpoints/*_checkpoint_512_steps.zip")
    final.unlink()
    failed = [(task, record) for task, record in gathered(judged).records if record.status != "ok"]
    assert {(task.policy, task.training_seed) for task, _ in failed} == {("ppo", 1)}
    assert "has not come to its end" in failed[0][1].reason
    told = command(judged)
    assert told.exit_code == 0 and "✅" not in told.output
    assert told.output.rstrip().endswith("1 of 2 agents missing")


@pytest.mark.parametrize("flags", [(), ("--no-evaluate",)])
def test_report_of_a_study_that_was_never_run_is_refused_before_anything_is_evaluated(judged, flags):
    done = command(judged, *flags)
    assert done.exit_code == ConfigurationError.exit_code
    assert "has not been run here" in done.stderr and "[EVALUATION]" not in done.output
    assert f'study run --study "{judged.file}" --workspace "{judged.root}"' in done.stderr
    assert not (judged.root / "validation_output").exists()


def test_report_of_another_study_says_which_were_run(judged):
    (judged.folder.root.parent / "other").mkdir(parents=True)
    (judged.folder.root.parent / "other" / "study.json").touch()
    assert "studies that are here: other" in command(judged).stderr


def test_chains_that_have_not_begun_are_nothing_to_judge(judged):
    run(judged, backend=InProcessBackend(judged.root / "broken", fail_with="no such machine"))
    assert "2 chain(s) without a checkpoint" in command(judged).stderr


@pytest.mark.parametrize("reads", [report, status], ids=lambda reads: reads.name)
def test_workspace_that_does_not_exist_is_refused_and_not_made(judged, reads):
    nope = judged.root / "nope"
    done = CliRunner().invoke(reads, ["--study", str(judged.file), "--workspace", str(nope)])
    assert done.exit_code == 2 and "There is no such folder" in done.stderr
    assert not nope.exists()


def test_report_without_one_good_evaluation_is_one_error(judged):
    run(judged)
    done = command(judged, "--no-evaluate")
    assert done.exit_code == SessionFailedError.exit_code
    assert "There is nothing to report" in done.stderr and "Traceback" not in done.output


def test_demand_that_training_may_draw_is_refused_before_anything_is_evaluated(judged):
    judged.edit("first: 1010003", "first: 7")
    with pytest.raises(ConfigurationError, match="may have trained on"):
        gathered(judged)


def test_agent_is_judged_with_the_configuration_that_it_was_trained_with(judged):
    run(judged)
    before = gathered(judged)
    judged.edit("net_arch: [8, 8]", "net_arch: [16]")
    judged.edit("horizon_s: 60", "horizon_s: 30")
    assert gathered(judged, evaluate=False).records == before.records


@pytest.mark.slow
def test_two_processes_find_the_same_as_one(judged):
    run(judged)
    outputs = [judged.root / name for name in ("one", "two")]
    command(judged, "--output", str(outputs[0]))
    for path in judged.folder.evaluation.iterdir():
        path.unlink()
    command(judged, "--jobs", "2", "--output", str(outputs[1]))
    assert digests(outputs[0]) == digests(outputs[1])
