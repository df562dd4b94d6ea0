"""A study with its sessions in this process: what it does, what it skips, what it refuses."""

import functools
import json
import os
import signal

import pytest
from click.testing import CliRunner

from tests.chain.in_process import InProcessBackend
from tests.study.conftest import StudyPlace
from tests.study.processes import posix_only, unrehearsed
from validation_ch7.checkpoints.lock import exclusive
from validation_ch7.cli.study import study as commands
from validation_ch7.cli.study_view import choose_executor
from validation_ch7.errors import ConfigurationError, SanityError, WorkspaceLockedError
from validation_ch7.section_run import SectionRun
from validation_ch7.study.chain import ChainStatus, chain_tasks
from validation_ch7.study.drive import run_study
from validation_ch7.study.executor import Lost, ProcessExecutor, SerialExecutor, ThreadExecutor
from validation_ch7.study.protocol import EvaluationProtocol
from validation_ch7.study.spec import load_study
from validation_ch7.study.standing import read_standing
from validation_ch7.study.train import run_chain, stalled


def run(place, spec=None, *, backend=None, **arguments):
    backend = backend or InProcessBackend(place.root / "sessions")
    arguments.setdefault("train", functools.partial(run_chain, backend=backend))
    arguments.setdefault("executor", SerialExecutor())
    arguments.setdefault("rehearsal", unrehearsed)
    return run_study(spec or place.spec, place.root, place.config, say=place.lines.append, **arguments)


def digests(done):
    return {record.chain_id: record.digest for record in done.chains}


def test_every_chain_is_trained_once_into_a_store_of_its_own(place):
    first, again = run(place), run(place)
    assert (first.exit_code, first.trained) == (0, ("ppo-traffic_light_control-0", "ppo-traffic_light_control-1"))
    assert len(set(digests(first).values())) == 2
    assert (again.exit_code, again.trained, digests(again)) == (0, (), digests(first))
    assert {record.exactness for record in again.chains} == {"exact"}


def test_what_is_trained_is_judged_once_and_a_chain_that_is_not_trained_is_not(place):
    judged = run(place, place.spec.reduced(1), judges=SerialExecutor())
    assert (judged.judgement.done, judged.judgement.count, judged.exit_code) == (4, 4, 0)
    assert run(place, place.spec.reduced(1), judges=Nobody()).judgement.complete
    broken = InProcessBackend(place.root / "broken", fail_with="no such machine")
    half = run(place, backend=broken, judges=SerialExecutor())
    assert (half.judgement.done, half.judgement.count, half.exit_code) == (4, 5, 4)


class Nobody(SerialExecutor):
    def each(self, work, tasks, started, stop):
        assert not tasks
        return iter(())


def test_a_smaller_study_says_so_and_its_chains_count_in_the_larger_one(place):
    small = run(place, place.spec.reduced(1))
    record = json.loads(place.folder.record.read_text("utf-8"))
    assert (len(small.chains), record["small"], record["spec"]["planned_seeds"]) == (1, True, 2)
    whole = run(place)
    assert (whole.trained, len(whole.chains)) == (("ppo-traffic_light_control-1",), 2)


def test_every_pair_is_rehearsed_before_anything_is_trained(place):
    place.edit("[ppo]", "[ppo, dqn]")
    place.edit("[traffic_light_control]", "[traffic_light_control, other_road]")
    place.edit("name: tiny", "name: tiny\nleft_out: {other_road: [dqn]}")
    rehearsed = []

    def rehearsal(config, folder):
        assert not list(folder.iterdir())
        rehearsed.append((config.scenario, config.training.algorithm, config.seed))
        if len(rehearsed) == 3:
            raise SanityError("the reward never varies")
        return {"mean_delay_s": 1.0}

    with pytest.raises(SanityError, match="never varies"):
        run(place, rehearsal=rehearsal)
    pairs = [("traffic_light_control", "ppo"), ("traffic_light_control", "dqn"), ("other_road", "ppo")]
    assert rehearsed == [(*pair, 0) for pair in pairs]
    assert not (place.root / "sessions").exists()


def test_chains_of_another_configuration_are_not_gone_on_with(place):
    run(place, place.spec.reduced(1))
    place.edit("learning_rate: lin_1e-3", "learning_rate: 1e-4")
    with pytest.raises(ConfigurationError, match="begun with another configuration") as refusal:
        run(place)
    assert "ppo-traffic_light_control-0" in str(refusal.value)
    assert refusal.value.exit_code == 2


def test_a_chain_that_fails_is_told_and_tried_again_by_the_next_run(place):
    broken = InProcessBackend(place.root / "broken", fail_with="no such machine")
    done = run(place, backend=broken)
    assert (done.exit_code, done.status) == (4, "failed")
    assert [record.status for record in done.chains] == [ChainStatus.FAILED, ChainStatus.FAILED]
    assert "no such machine" in done.chains[1].error
    standing = read_standing(place.folder)
    assert [chain.record.error for chain in standing.chains] == [record.error for record in done.chains]
    assert run(place).exit_code == 0


def test_a_fault_that_nobody_foresaw_ends_one_chain_and_not_the_study(place):
    def train(task):
        if task.seed == 0:
            raise ZeroDivisionError("unforeseen")
        return run_chain(task, backend=InProcessBackend(place.root / "sessions"))

    done = run(place, train=train)
    assert [record.status for record in done.chains] == [ChainStatus.FAILED, ChainStatus.DONE]
    assert "ZeroDivisionError: unforeseen" in done.error


def test_two_drivers_on_one_study_are_refused_and_status_says_who_works(place):
    held = exclusive(place.folder.root, "driver of study tiny")
    with held, pytest.raises(WorkspaceLockedError, match="works on this tree"):
        run(place)
    run(place, place.spec.reduced(1))
    with exclusive(place.folder.root, "driver of study tiny"):
        assert "driver of study tiny" in read_standing(place.folder).driver
    assert read_standing(place.folder).driver is None


def test_a_store_at_a_location_goes_on_on_another_machine_and_ends_where_one_run_ends(tmp_path):
    whole, here, there = (StudyPlace(tmp_path / name) for name in ("whole", "here", "there"))
    for place in (here, there):
        place.edit("timesteps: 512", f"timesteps: 512\nsession_timesteps: 256\nlocation: {tmp_path / 'shared'}")

    class Dies(Exception):
        pass

    class Mortal(InProcessBackend):
        def submit(self, request):
            if len(self.submitted) == 1:
                raise Dies("the machine is gone")
            return super().submit(request)

    broken = run(here, here.spec.reduced(1), backend=Mortal(tmp_path / "mortal"))
    assert "the machine is gone" in broken.error
    survivor = InProcessBackend(tmp_path / "survivor")
    resumed = run(there, there.spec.reduced(1), backend=survivor)
    assert len(survivor.submitted) == 1  # the session before it ran on the machine that is gone
    assert digests(resumed) == digests(run(whole, whole.spec.reduced(1)))


def test_a_session_that_a_killed_driver_left_is_shown_as_interrupted(place):
    tasks = chain_tasks(place.spec, place.folder, place.config)

    class Killed(BaseException):
        pass

    def killed(task):
        raise Killed

    with pytest.raises(Killed):
        run(place, train=killed)
    assert [chain.status for chain in read_standing(place.folder).chains] == [ChainStatus.WAITING] * 2
    checkpoints = tasks[0].store().folder
    checkpoints.mkdir(parents=True)
    (checkpoints / "traffic_light_control_checkpoint_256_steps.zip").touch()
    first = read_standing(place.folder).chains[0]
    assert (first.status, first.steps, first.share) == (ChainStatus.INTERRUPTED, 256, 0.5)


def test_a_chain_whose_sessions_bring_nothing_is_given_up():
    def session(before, after):
        return SectionRun(True, "completed", "local", "s", before, after, 512, "tree")

    assert not stalled([session(0, 0), session(0, 0)])
    assert stalled([session(0, 128), session(128, 128), session(128, 128), session(128, 128)])
    assert not stalled([session(0, 0), session(0, 0), session(0, 128)])


def double(number):
    if number == 3:
        raise ValueError("three")
    return 2 * number


@pytest.mark.parametrize("executor", [SerialExecutor(), ThreadExecutor(2)], ids=lambda executor: executor.name)
def test_executors_carry_out_every_task_and_lose_none_to_the_fault_of_another(executor):
    began = []
    found = dict(executor.each(double, [1, 2, 3, 4], began.append, lambda: False))
    executor.close()
    assert {task: result for task, result in found.items() if task != 3} == {1: 2, 2: 4, 4: 8}
    assert isinstance(found[3], Lost)
    assert "ValueError: three" in found[3].reason
    assert began == [1, 2, 3, 4]


def killed_once(path):
    if not path.exists():
        path.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return path.name


@posix_only
@pytest.mark.slow
def test_processes_that_are_killed_lose_no_task(tmp_path):
    executor = ProcessExecutor(2)
    paths = [tmp_path / "one", tmp_path / "two", tmp_path / "three"]
    assert dict(executor.each(killed_once, paths, lambda path: None, lambda: False)) == {p: p.name for p in paths}
    assert isinstance(dict(executor.each(double, [3], lambda task: None, lambda: False))[3], Lost)
    executor.close()


@pytest.mark.parametrize("executor", [SerialExecutor(), ThreadExecutor(2)], ids=lambda executor: executor.name)
def test_executors_begin_nothing_once_they_are_told_to_stop(executor):
    done = []
    results = executor.each(double, [1, 2, 4, 5, 6, 7], done.append, lambda: len(done) >= 2)
    assert dict(results) == {1: 2, 2: 4}
    executor.close()


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("[0, 1]", "[0, 0]", "training_seeds names something twice"),
        ("timesteps: 512", "timesteps: {dqn: 512}", "no entry for ppo"),
        ("[ppo]", "[]", "algorithms"),
        ("[ppo]", "[ppo]\nleft_out: {moon: [ppo]}", "left_out names what the study does not: moon"),
        ("name: tiny", "name: ../tiny", "name"),
    ],
)
def test_a_study_that_makes_no_sense_is_refused_with_its_key(place, old, new, words):
    place.edit(old, new)
    with pytest.raises(ConfigurationError, match="cannot be used") as refusal:
        print(place.spec)
    assert words in str(refusal.value)


def test_a_study_of_an_unknown_scenario_is_refused_before_anything_is_trained(place):
    place.edit("scenarios: [traffic_light_control]", "scenarios: [traffic_light_control, moon]")
    with pytest.raises(ConfigurationError, match="no such scenario"):
        run(place)
    assert not place.folder.root.exists()


def test_flags_that_contradict_each_other_are_refused(place):
    with pytest.raises(ConfigurationError, match="not several at a time"):
        choose_executor(place.spec, "serial", 2)
    with pytest.raises(ConfigurationError, match="one of Ray's"):
        choose_executor(place.spec, "threads", 2, "auto")
    names = [choose_executor(place.spec, None, jobs).name for jobs in (None, 1, 2)]
    assert names == ["serial", "serial", "threads"]


def test_more_seeds_than_there_are_is_refused(place):
    with pytest.raises(ConfigurationError, match="not so many training seeds"):
        place.spec.reduced(3)


def test_a_smaller_study_says_of_what_it_is_a_part(place):
    told = place.spec.reduced(1).reductions
    assert told[0] == "1 training seed instead of the 10 of the full protocol"
    assert told[-1] == "1 training seed instead of the 2 of the study's file"
    full = place.spec.model_copy(update={"evaluation": EvaluationProtocol(full_training_seeds=1)})
    assert not full.small and full.reduced(1).small


def test_a_file_that_is_not_there_is_asked_for_with_the_flag_of_a_study(tmp_path):
    with pytest.raises(ConfigurationError, match="cannot be read") as refusal:
        load_study(tmp_path / "nope.yml")
    assert "with --study" in str(refusal.value) and "--config" not in str(refusal.value)


def test_a_wrong_block_is_told_with_its_keys_and_not_with_a_class(place):
    place.edit("seeds: {first: 1000003, count: 3}", "seeds: 3")
    with pytest.raises(ConfigurationError, match="keys first, count") as refusal:
        print(place.spec)
    assert "Seeds" not in str(refusal.value)
    place.edit("seeds: 3", "seeds: {first: 1000003, count: 3}")
    place.edit("{near: {title: near}}", "{near: 3}")
    with pytest.raises(ConfigurationError, match="keys title, demand, flow_factors, base_saturation"):
        print(place.spec)


def test_a_target_that_nobody_can_reach_is_refused(place):
    place.edit("timesteps: 512", f"timesteps: {10**23}")
    with pytest.raises(ConfigurationError, match="less than or equal to 9007199254740992"):
        print(place.spec)


def test_a_run_ends_with_the_command_that_reports_it(place):
    run(place)
    told = CliRunner().invoke(commands, ["run", *place.flags, "--config", str(place.config), "--train-only"])
    flags = f'--study "{place.file}" --workspace "{place.root}" --config "{place.config}"'
    assert told.output.rstrip().endswith(f"next: python -m validation_ch7 study report {flags}")
