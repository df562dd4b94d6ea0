"""A session that cannot be reached any more is given up, and only that one, and only when it is asked for."""

import json

import pytest

from tests.chain.conftest import Place
from tests.chain.test_killed_manager import run_and_die
from validation_ch7.errors import CredentialsError
from validation_ch7.journal import Phase


@pytest.fixture
def place(tmp_path):
    """A workspace whose last session was left on Kaggle; its credentials are gone."""
    place = Place(tmp_path / "work space")
    run_and_die(place, Phase.SUBMITTED)
    [entry] = place.manager().journal.entries()
    place.manager().journal.advance(entry.session_id, Phase.SUBMITTED, backend="kaggle")
    place.session_id = entry.session_id
    place.bare = {"HOME": str(tmp_path)}
    return place


def local_run(place):
    manager = place.manager(environ=place.bare)
    return manager.run_validation_section(config=place.config, quick=True)


def test_local_run_says_which_session_stands_in_the_way_and_how_to_give_it_up(place):
    with pytest.raises(CredentialsError, match="was left unfinished on kaggle") as caught:
        local_run(place)
    assert caught.value.where == place.session_id
    assert f"python -m validation_ch7 abandon {place.session_id} --workspace" in caught.value.remedy
    assert caught.value.exit_code == 3


def test_without_yes_nothing_is_changed(place, call):
    result = call("abandon", place.session_id, "--workspace", place.root)
    assert result.exit_code == 0
    assert "does not stop it" in result.stdout
    assert len(place.manager().journal.unfinished("section_7_6_rl_performance", "traffic_light_control")) == 1


def test_session_that_is_given_up_no_longer_stands_in_the_way(place, call):
    result = call("abandon", place.session_id, "--workspace", place.root, "--yes", "--json")
    assert json.loads(result.stdout)["status"] == "abandoned"
    assert local_run(place).steps_after == 256
    assert place.manager().journal.get(place.session_id).error == "given up by hand"


def test_finished_or_unknown_session_cannot_be_given_up(place, call):
    result = call("abandon", "session-unknown", "--workspace", place.root, "--yes")
    assert result.exit_code == 2
    assert "no unfinished session" in result.stderr
