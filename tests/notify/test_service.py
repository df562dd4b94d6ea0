"""Services through Apprise, delivered to a receiver on this machine."""

import pytest

from tests.notify.receiver import SECRET, receiving
from tests.notify.test_delivery import closed_port, ended, notifier_for

pytest.importorskip("apprise")


def json_address(server):
    return f"json://user:{SECRET}@127.0.0.1:{server.server_address[1]}/{SECRET}"


def test_event_reaches_the_service_by_apprise():
    with receiving() as server:
        notifier, said = notifier_for(json_address(server))
        notifier.following(ended)
    assert said == [] and server.got[0][2]["title"] == "city: completed"


def test_failure_of_the_service_is_one_warning_and_never_an_exception(caplog, capfd):
    with receiving(500) as server:
        notifier, said = notifier_for(json_address(server), f"json://127.0.0.1:{closed_port()}/{SECRET}")
        assert notifier.following(ended).success
    assert len(said) == 1 and "2 notification(s)" in said[0]
    assert SECRET not in said[0] + caplog.text + "".join(capfd.readouterr())


def test_address_that_apprise_does_not_know_is_a_warning(caplog, capfd):
    notifier, said = notifier_for(f"nonsense://{SECRET}")
    assert notifier.following(ended).success
    assert len(said) == 1 and "cannot be used" in said[0]
    assert SECRET not in said[0] + caplog.text + "".join(capfd.readouterr())
