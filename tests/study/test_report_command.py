"""``study report`` over chains that were really trained: evaluated once, reported in full, and again the same."""

import json

import pytest
from click.testing import CliRunner

from tests.study.test_study import run
from validation_ch7.cli.study import report
from validation_ch7.cli.study_report import report_command
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
    assert "reduced study: 2 training seeds instead of 10" in again.output
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


def test_report_of_nothing_is_one_error_with_what_to_do(judged):
    done = command(judged, "--no-evaluate")
    assert done.exit_code == SessionFailedError.exit_code
    assert "There is nothing to report" in done.stderr and "Traceback" not in done.output
    assert not (judged.root / "validation_output").exists()


def test_demand_that_training_may_draw_is_refused_before_anything_is_evaluated(judged):
    judged.edit("first: 1010003", "first: 7")
    flags = {"jobs": 1, "evaluate": True, "config_path": judged.config, "output": None}
    with pytest.raises(ConfigurationError, match="may have trained on"):
        report_command(judged.root, judged.file, False, **flags)


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
