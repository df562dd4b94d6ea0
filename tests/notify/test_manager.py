"""Notifications of whole runs, and the command that tries them."""

import json

import pytest

from tests.notify.receiver import SECRET, receiving
from tests.notify.test_delivery import Recorder
from validation_ch7.cli.main import main
from validation_ch7.errors import CheckpointIncompatibleError, ConfigurationError, QuotaError
from validation_ch7.notify import Notifier
from validation_kaggle_manager import ValidationKaggleManager


def run(place, environ=None, **flags):
    return place.manager(environ=environ or {}).run_validation_section(config=place.config, quick=True, **flags)


def everything_written(place):
    return b"".join(path.read_bytes() for path in place.root.rglob("*") if path.is_file()) + place.said.encode()


def test_run_tells_its_best_model_and_its_end_and_writes_no_address(place):
    with receiving() as server:
        done = run(place, {"VALIDATION_NOTIFY": server.url})
    assert done.success and server.kinds == ["new_best", "end"]
    assert SECRET.encode() not in everything_written(place)


def test_file_names_the_variable_that_holds_the_address(place):
    place.edit("session: {", 'notify: {urls: ["${HOOK}"], events: [end]}\nsession: {')
    with receiving() as server:
        run(place, {"HOOK": server.url})
    assert server.kinds == ["end"]


def test_failed_delivery_leaves_the_run_as_it_is(place):
    with receiving(500) as server:
        done = run(place, {"VALIDATION_NOTIFY": server.url})
    assert done.success and done.exit_code == 0
    assert [line for line in place.lines if line.startswith("[NOTIFY]")] == list(done.warnings[-1:])
    assert SECRET.encode() not in everything_written(place)


def test_incompatible_checkpoint_is_told(place):
    run(place)
    place.edit("[8, 8]", "[16, 16]")
    with receiving() as server, pytest.raises(CheckpointIncompatibleError, match="another model"):
        run(place, {"VALIDATION_NOTIFY": server.url})
    assert server.kinds == ["incompatible"]


def test_quota_is_told_with_the_time_to_ask_again(place, monkeypatch):
    refusal = QuotaError("The week's GPU hours are used up.", remedy="wait")
    refusal.retry_at = 1_003_600.0

    def submit(request):
        raise refusal

    monkeypatch.setattr(place.backend, "submit", submit)
    with receiving() as server, pytest.raises(QuotaError, match="GPU hours"):
        run(place, {"VALIDATION_NOTIFY": server.url})
    [(_, _, told)] = server.got
    assert (told["event"], told["facts"]["exit_code"]) == ("quota", 6)
    assert told["facts"]["retry_at"] == 1_003_600.0 and "GPU hours" in told["text"]


def test_dry_run_tells_nobody(place):
    channel = Recorder()
    manager = ValidationKaggleManager(place.root, place.backend, say=place.lines.append, notifier=Notifier([channel]))
    manager.run_validation_section(config=place.config, dry_run=True)
    assert channel.events == []


@pytest.mark.parametrize("text", ["notify: {urls: [%s]}", "notify: %s", "notify: {url: %s}", "notify: [%s"])
def test_address_in_the_file_is_refused_and_not_repeated(place, text):
    place.edit("session: {", (text % f"https://hooks.example.org/{SECRET}") + "\nsession: {")
    with pytest.raises(ConfigurationError, match=r"cannot be used|not valid YAML") as caught:
        run(place)
    assert SECRET not in str(caught.value)


def call(*words, **environ):
    from click.testing import CliRunner

    return CliRunner().invoke(main, ["notify", "test", *words], env={"VALIDATION_NOTIFY": None, **environ})


def test_command_sends_a_test_and_shows_no_secret():
    with receiving() as good, receiving(500) as bad:
        assert call(VALIDATION_NOTIFY=good.url).exit_code == 0
        result = call("--json", VALIDATION_NOTIFY=f"{good.url},{bad.url}")
    told = json.loads(result.stdout)
    assert (result.exit_code, told["success"], good.kinds) == (3, False, ["test", "test"])
    assert [item["arrived"] for item in told["receivers"]] == [True, False]
    assert SECRET not in result.output


def test_command_without_an_address_says_what_to_set():
    result = call()
    assert result.exit_code == 2 and "VALIDATION_NOTIFY" in result.stderr
