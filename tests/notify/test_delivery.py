"""Deliveries against a real receiver: that they arrive, and that nothing else ever happens to a run."""

import socket
import sys
import time

import pytest

from tests.notify.receiver import SECRET, receiving
from validation_ch7.errors import (
    CapacityError,
    CheckpointIncompatibleError,
    DetachedError,
    InterruptedRunError,
    QuotaError,
    SessionFailedError,
)
from validation_ch7.notify import Event, Notifier, make_notifier, open_channels, trial_event
from validation_ch7.notify.settings import split_addresses
from validation_ch7.notify.webhook import Webhook
from validation_ch7.notify_config import EventKind, NotifyConfig
from validation_ch7.section_run import SectionRun


def ended(**changes):
    facts = {"success": True, "status": "completed", "backend": "local", "scenario": "city", "steps_before": 0}
    return SectionRun(**facts | {"steps_after": 256, "target_steps": 1024, "training_dir": "/models"} | changes)


def notifier_for(*urls, **options):
    said = []
    notifier = make_notifier({"VALIDATION_NOTIFY": ",".join(urls)}, NotifyConfig(**options), said.append)
    return notifier, said


class Recorder:
    """The fake channel."""

    def __init__(self, name="fake", fault=None):
        self.name, self.fault, self.events = name, fault, []

    def deliver(self, event):
        self.events.append(event)
        if isinstance(self.fault, Exception):
            raise self.fault
        return self.fault


def closed_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def test_webhook_gets_one_post_of_json_with_facts_and_a_text():
    with receiving() as server:
        notifier, said = notifier_for(server.url)
        run = notifier.following(lambda: ended(mean_reward=-2.5))
    [(method, path, body)] = server.got
    assert (method, SECRET in path, body["event"], said, run.warnings) == ("POST", True, "end", [], ())
    assert body["text"].startswith("city: completed\nsteps 0 -> 256 of 1,024")
    assert (body["facts"]["steps_after"], body["facts"]["mean_reward"]) == (256, -2.5)


@pytest.mark.parametrize("status", [400, 404, 500, 302, 307])
def test_receiver_that_does_not_take_it_costs_one_warning_without_the_secret(status):
    with receiving(status) as server:
        notifier, said = notifier_for(server.url)
        run = notifier.following(ended)
    [warning] = said
    assert f"HTTP {status}" in warning and run.success and run.warnings == (warning,)
    assert SECRET not in warning and "127.0.0.1" in warning and len(server.got) == 1


def test_receiver_that_refuses_costs_one_warning():
    notifier, said = notifier_for(f"http://127.0.0.1:{closed_port()}/{SECRET}")
    assert notifier.following(ended).success
    assert len(said) == 1 and "refused" in said[0].lower() and SECRET not in said[0]


def test_receiver_that_hangs_costs_its_timeout_and_no_more():
    with receiving(0) as server:
        began = time.monotonic()
        reason = Webhook("#1", server.url, timeout_s=0.2).deliver(trial_event())
        assert reason == "no answer in time" and time.monotonic() - began < 5


def test_channel_that_never_returns_is_left_alone_after_the_patience():
    with receiving(0) as server:
        channels, _ = open_channels([server.url])
        said = []
        run = Notifier(channels, said.append, patience_s=0.3).following(ended)
    assert run.success and "no answer within" in said[0]


def test_one_deaf_receiver_does_not_keep_the_news_from_the_others():
    with receiving() as server:
        notifier, said = notifier_for(f"http://127.0.0.1:{closed_port()}/", server.url)
        notifier.following(ended)
    assert server.kinds == ["end"] and len(said) == 1 and "1 notification(s)" in said[0]


def test_the_same_warning_is_said_once_in_a_whole_chain():
    said = []
    notifier = Notifier([Recorder(fault="no")], said.append)
    for _ in range(5):
        notifier.session_over(ended(restored_files=("best_model.zip",)), 1.5, ())
    assert said == ["[NOTIFY] ✗ 1 notification(s) did not go out: fake: no"]


def test_channel_that_raises_breaks_nothing():
    channel = Recorder(fault=RuntimeError(f"https://x/{SECRET}"))
    run = Notifier([channel]).following(ended)
    assert run.success and SECRET not in run.warnings[0] and "RuntimeError" in run.warnings[0]


def test_only_the_kinds_that_are_wanted_are_told():
    channel = Recorder()
    notifier = Notifier([channel], kinds=[EventKind.NEW_BEST])
    notifier.following(ended)
    notifier.session_over(ended(restored_files=("best_model.zip",)), None, ("network",))
    assert [event.kind for event in channel.events] == [EventKind.NEW_BEST]


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (QuotaError("used up"), EventKind.QUOTA),
        (CapacityError("too many"), EventKind.QUOTA),
        (CheckpointIncompatibleError("another network"), EventKind.INCOMPATIBLE),
        (SessionFailedError("broken"), EventKind.FAILURE),
        (InterruptedRunError("stopped"), EventKind.END),
        (DetachedError("left"), None),
    ],
)
def test_fault_is_told_by_its_kind_and_raised_all_the_same(fault, kind):
    channel = Recorder()

    def fail():
        raise fault

    with pytest.raises(type(fault), match=fault.what):
        Notifier([channel]).following(fail)
    assert [event.kind for event in channel.events] == ([kind] if kind else [])


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({}, EventKind.END),
        ({"success": False, "exit_code": 75, "status": "timeout"}, EventKind.END),
        ({"success": False, "exit_code": 4, "status": "killed"}, EventKind.FAILURE),
        ({"success": False, "exit_code": 130, "status": "interrupted"}, None),
    ],
)
def test_end_of_a_run_is_told_by_how_it_ended(changes, kind):
    channel = Recorder()
    Notifier([channel]).following(lambda: ended(**changes))
    assert [event.kind for event in channel.events] == ([kind] if kind else [])


def test_texts_from_outside_reach_the_receiver_as_data():
    with receiving() as server:
        channels, _ = open_channels([server.url])
        Notifier(channels).tell(Event(EventKind.FAILURE, 'a"\n\x1b\u202e', "✓"))
    assert server.got[0][2]["title"] == 'a"\n\x1b\u202e'


@pytest.mark.parametrize(
    "address", ["http://", f"http:///{SECRET}", f"http://[x/{SECRET}", f"https://h:x/{SECRET}", SECRET]
)
def test_address_that_cannot_be_used_is_a_warning_without_its_text(address):
    notifier, said = notifier_for(address)
    assert notifier.following(ended).success
    assert len(said) == 1 and SECRET not in said[0]


def test_missing_apprise_is_one_warning_that_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "apprise", None)
    notifier, said = notifier_for(f"tgram://{SECRET}/1")
    assert notifier.following(ended).success
    assert len(said) == 1 and "[notify]" in said[0] and SECRET not in said[0]


def test_addresses_are_told_apart_by_commas_and_blanks():
    assert split_addresses("http://a/x,y , json://b\nntfy://c,") == ["http://a/x,y", "json://b", "ntfy://c"]
    assert split_addresses("  ") == []


def test_environment_wins_over_the_file_and_silences_it_when_empty():
    with receiving() as server:
        config = NotifyConfig(urls=("${HOOK}",))
        make_notifier({"HOOK": server.url}, config, print).following(ended)
        make_notifier({"HOOK": server.url, "VALIDATION_NOTIFY": ""}, config, print).following(ended)
    assert server.kinds == ["end"]


def test_variable_that_is_not_set_is_a_warning():
    said = []
    make_notifier({}, NotifyConfig(urls=("${HOOK}",)), said.append).following(ended)
    assert said == ["[NOTIFY] ✗ 1 notification(s) did not go out: ${HOOK} is not set"]
