"""The comparison with SUMO, without SUMO: network, demand, lights, what is read back, rankings and tables."""

import doctest
import importlib
import json
import random
from xml.etree import ElementTree

import numpy as np
import pytest

from benchmarks.sumo_ranking import network, players, ranking, report
from benchmarks.sumo_ranking.__main__ import CONTROLLERS, HERE, Parts, command, read_options
from benchmarks.sumo_ranking.simulator import SumoSimulator, play, spread, sumo_seed
from validation_ch7.control import FixedTime, MaxPressure
from validation_ch7.control.controller import near_stop_line
from validation_ch7.errors import CheckpointNotFoundError
from validation_ch7.traffic import build_layout

CONFIG = players.spec("ppo", 0, None).environment
MODULES = ("network", "players", "ranking", "report", "saturation", "simulator", "__main__")


class FakeRival:
    """Answers as SUMO's process does, with one car a hundred metres before each stop line, and keeps the orders."""

    def __init__(self) -> None:
        self.orders: list[dict] = []

    def send(self, order: dict) -> None:
        self.orders.append(json.loads(json.dumps(order)))

    def receive(self) -> dict:
        if "conclude" in self.orders[-1]:
            return {"delay": 50.0}
        cells = [[0] * 19 + [1] + [0] * 5 for _ in range(4)]
        return {"delay": 2.0, "time": 20.0, "cells": cells, "queued": [1, 0, 0, 0], "outside": [0, 3, 0, 0]}


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_the_docstrings_hold(name: str) -> None:
    tested = doctest.testmod(importlib.import_module(f"benchmarks.sumo_ranking.{name}"))
    assert tested.failed == 0


def test_network_has_the_roads_of_the_scenario() -> None:
    roads = {edge.get("id"): edge for edge in ElementTree.fromstring(network.edges(CONFIG))}
    assert [roads[side].get("numLanes") for side in ("north", "south", "east", "west")] == ["3", "3", "1", "1"]
    assert {roads[side].get("length") for side in ("north", "south", "east", "west")} == {"500"}
    assert {road.get("speed") for road in roads.values()} == {"13.9"}


def test_every_lane_leads_straight_on_to_a_lane_that_exists() -> None:
    roads = {edge.get("id"): int(edge.get("numLanes")) for edge in ElementTree.fromstring(network.edges(CONFIG))}
    links = [link.attrib for link in ElementTree.fromstring(network.connections(CONFIG))]
    assert len(links) == 8
    assert all(int(link["toLane"]) < roads[link["to"]] for link in links)
    assert {(link["from"], link["to"]) for link in links} >= {("north", "to_south"), ("west", "to_east")}


def test_drivers_get_the_calibrated_headway() -> None:
    kind = ElementTree.fromstring(network.drivers(1.25)).find("vType")
    assert kind is not None and kind.get("tau") == "1.25"


def test_cars_only_keeps_the_passenger_car_units_of_the_scenario() -> None:
    both = players.configure(players.SCENARIO, "ppo", 0, None, {}, {}).environment
    units = [
        players.base_flows(config, build_layout(config)) * (1.0 - share * (1.0 - 1.6 / 6.4))
        for config, share in ((CONFIG, 0.0), (both, 0.4))
    ]
    assert units[0] == pytest.approx(units[1])


@pytest.mark.parametrize("count", [0, 1, 4, 5, 17])
def test_arrivals_are_spread_evenly_and_none_is_lost(count: int) -> None:
    seconds = spread(count, 5)
    assert sum(seconds) == count and len(seconds) == 5
    assert max(seconds) - min(seconds) <= 1


def test_same_demand_gives_the_same_drivers_and_another_one_others() -> None:
    demand = np.arange(12, dtype=np.uint16).reshape(3, 4)
    assert sumo_seed(demand) == sumo_seed(demand.copy()) != sumo_seed(demand + 1)


def test_lights_sent_to_sumo_keep_yellow_all_red_and_least_green() -> None:
    rival = FakeRival()
    simulator = SumoSimulator(CONFIG, [rival])
    simulator.restart([0], np.zeros_like(simulator.arrivals))
    for wanted in (1, 1, 1, 2):
        simulator.step(np.array([[wanted]]))
    shown = [light for order in rival.orders[1:] for light in order["lights"]]
    assert shown[:10] == ["GGrr"] * 10  # the least green of 10 s is kept, whatever is wanted
    assert shown[10:15] == ["yyrr"] * 3 + ["rrrr"] + ["rrGr"]
    assert shown[15:] == ["rrGr"] * 5


def test_what_stands_on_sumo_is_what_our_controllers_see() -> None:
    simulator = SumoSimulator(CONFIG, [FakeRival()])
    arrivals = np.zeros_like(simulator.arrivals)
    arrivals[0, 0, :, 1] = 2, 5, 0, 1
    simulator.restart([0], arrivals)
    observation = simulator.step(np.array([[0]]))
    assert near_stop_line(simulator, 120.0)[0] == pytest.approx([1, 1, 1, 1])
    assert near_stop_line(simulator, 80.0)[0] == pytest.approx([0, 0, 0, 0])
    assert simulator.vehicles()[0].tolist() == pytest.approx([0.0, 7.0])
    assert simulator.measures[0, 0].tolist() == [0.0, 2.0]
    assert simulator.measures[0, 4, 1] == pytest.approx(1.0)  # 8 arrived, 7 are there
    assert observation[0, 1] > 0.0 and observation[0, 0] == 0.0  # queued cars, no motorbikes
    assert observation[0, 12 + 13] == pytest.approx(3 / 23)  # three wait outside in the south


def test_observing_moves_nothing() -> None:
    rival = FakeRival()
    simulator = SumoSimulator(CONFIG, [rival])
    simulator.restart([0], np.zeros_like(simulator.arrivals))
    seen = simulator.step(np.array([[0]]))
    orders = len(rival.orders)
    assert np.array_equal(simulator.step(np.array([[-1]])), seen)
    assert len(rival.orders) == orders and simulator.clock[0] == 1


def test_episodes_are_played_in_batches_of_the_processes_with_our_demand() -> None:
    rivals = [FakeRival(), FakeRival()]
    episodes = play(CONFIG, MaxPressure(), [1, 2, 3], rivals)
    assert [len(episodes), episodes[0]["arrived_veh"] == episodes[1]["arrived_veh"]] == [3, False]
    sent = [sum(map(sum, order["arrivals"])) for order in rivals[1].orders if "arrivals" in order]
    assert sum(sent) == episodes[1]["arrived_veh"]
    assert episodes[0]["mean_delay_s"] == pytest.approx(2.0 * 120 / episodes[0]["arrived_veh"])
    assert episodes[0]["own_delay_s"] == pytest.approx(50.0 / episodes[0]["arrived_veh"])


def test_webster_takes_the_saturation_flow_that_was_measured() -> None:
    def greens(flow: float) -> float:
        arena = players.Arena("sumo", CONFIG, dict.fromkeys(("north", "south", "east", "west"), flow))
        return sum(players.webster_in(arena).green_s)

    assert greens(2000.0) < 0.6 * (120.0 - 12.0)
    assert greens(1600.0) == pytest.approx(120.0 - 12.0)  # near capacity the formula ends at the longest cycle


def test_search_tries_what_the_search_of_the_section_tries(monkeypatch: pytest.MonkeyPatch) -> None:
    def judged(self: players.Arena, plan: FixedTime, seeds: object) -> players.Episodes:
        return [
            {"mean_delay_s": sum(abs(green - best) for green, best in zip(plan.green_s, (41, 26, 11), strict=True))}
        ]

    monkeypatch.setattr(players.Arena, "judge", judged)
    tuned = players.tune_in(players.Arena("sumo", CONFIG, {}), "fixed_time", [1])
    assert (tuned.parameters["green_s"], tuned.delay_s) == ((41.0, 26.0, 11.0), 0.0)


def test_tau_of_two_rankings_equals_the_definition() -> None:
    generator = random.Random(0)
    here, there = ({name: generator.random() for name in "abcdef"} for _ in range(2))
    signs = [(here[a] < here[b]) == (there[a] < there[b]) for a in "abcdef" for b in "abcdef" if a < b]
    assert ranking.kendall_tau(here, there) == pytest.approx((2 * sum(signs) - len(signs)) / len(signs))


TRAINING = {"training": {"steps": 128, "environments": 2, "processor_s": 1.0}}


def made(offset: float) -> dict:
    return {
        "ours": [20.0 + offset, 22.0 + offset],
        "sumo": [30.0 - offset, 31.0 - offset],
        "own": [31.0, 32.0],
        "parameters": {"range_m": 40.0},
        "tried": 3,
    }


def test_page_shows_both_orders_and_which_pairs_swap() -> None:
    agent = made(-5.0) | TRAINING
    measured = {
        "controllers": {name: dict.fromkeys(("ours", "sumo"), made(float(at))) for at, name in enumerate(CONTROLLERS)},
        "ppo": {key: [agent, agent] for key in ("ours", "short", "sumo")},
        "stored": [{"store": "chain", "ours": [1.0, 2.0], "sumo": [3.0, 4.0]}],
    }
    facts = {
        "date": "d",
        "cores": 2,
        "sumo": "s",
        "python": "p",
        "stable_baselines3": "b",
        "torch": "t",
        "command": "c",
    }
    saturation = {"tau_s": 1.1, "saturation_veh_per_h_lane": {"north": 1600.0}}
    result = report.conclude(facts, saturation, measured, vars(read_options(["--rivals", "python"])))
    for found in result["rankings"].values():
        assert found["order"]["ours"] == ["ppo", *CONTROLLERS]
        assert found["kendall_tau"] == -1.0
    text = report.as_markdown(json.loads(json.dumps(result)))
    assert "| ppo | 1 | 6 | 16.0 [15.0, 17.0] |" in text
    assert text.count("| swaps |") == 2 * 15 and "| holds |" not in text
    assert "The agent of the store chain: 1.5" in text


def test_interrupted_command_goes_on_and_other_settings_begin_anew(tmp_path) -> None:
    counted = iter(range(10))
    parts = Parts(tmp_path, {"seeds": 2})
    assert [parts.get("a", lambda: {"n": next(counted)}) for _ in range(2)] == [{"n": 0}, {"n": 0}]
    assert Parts(tmp_path, {"seeds": 3}).get("a", lambda: {"n": next(counted)}) == {"n": 1}


def test_command_shows_no_path_of_this_machine() -> None:
    assert "/home" not in command(["--rivals", "/home/me/python", "--write"])


def test_committed_result_has_the_page_that_is_drawn_from_it() -> None:
    result = json.loads((HERE / "results.json").read_text(encoding="utf-8"))
    assert report.as_markdown(result) == (HERE / "results.md").read_text(encoding="utf-8")
    assert result["options"]["seeds"] >= 30


def test_store_of_an_unfinished_chain_is_refused(tmp_path) -> None:
    with pytest.raises(CheckpointNotFoundError, match="not come to its end"):
        players.stored_agent(tmp_path)


def test_what_was_not_made_on_sumo_is_ranked_as_brought_over_only() -> None:
    measured = {
        "controllers": {"webster": {"ours": made(0.0)}, "greedy": {"ours": made(1.0)}},
        "ppo": {"ours": [made(-8.0) | TRAINING], "short": [], "sumo": []},
    }
    found = report.rankings(measured)
    assert list(found) == ["brought_over"]
    assert found["brought_over"]["order"]["sumo"] == ["greedy", "webster", "ppo"]


def test_agents_made_on_sumo_stand_beside_those_of_as_many_steps() -> None:
    places = {"ours": made(0.0), "sumo": made(0.0)}
    agents = {"ours": [made(-8.0)], "short": [made(5.0)], "sumo": [made(1.0)]}
    found = report.rankings({"controllers": {"webster": places}, "ppo": agents})["made_there"]
    assert found["delay_s"]["ours"]["ppo"]["value"] == pytest.approx(26.0)
    assert found["delay_s"]["sumo"]["ppo"]["value"] == pytest.approx(29.5)
