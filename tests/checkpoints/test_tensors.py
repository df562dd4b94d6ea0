"""A copy of state dictionaries is complete, shares nothing with training, and keeps layouts."""

from __future__ import annotations

import operator
from collections import OrderedDict
from collections.abc import Callable

import pytest
import torch as th

from validation_ch7.checkpoints.state_dicts import state_dictionary
from validation_ch7.checkpoints.tensors import TensorCopier, TensorCopy, copy_tensors


def test_a_copy_is_equal_and_shares_nothing() -> None:
    network = th.nn.Sequential(th.nn.Linear(3, 4), th.nn.BatchNorm1d(4))
    optimizer = th.optim.Adam(network.parameters())
    network(th.ones(2, 3)).sum().backward()
    optimizer.step()
    state = {"net": network.state_dict(), "optimizer": optimizer.state_dict(), "single": th.tensor(2.0), "none": None}
    before = repr(state)
    copied = copy_tensors(state)
    with th.no_grad():
        for tensor in (*network.parameters(), *network.buffers(), *optimizer.state_dict()["state"][0].values()):
            tensor.add_(1)
    assert repr(copied.unpack()) == before != repr(state)
    assert isinstance(copied.unpack()["net"], OrderedDict)


@pytest.mark.parametrize(
    "tensor",
    [
        th.arange(6.0).view(2, 3).t(),
        th.rand(2, 3, 4, 4).to(memory_format=th.channels_last),
        th.arange(3),
        th.zeros(0, 3),
        th.tensor(True),
        th.ones(3, dtype=th.bfloat16),
        th.nn.Parameter(th.ones(2)),
    ],
)
def test_every_tensor_keeps_type_shape_and_layout_and_has_storage_of_its_own(tensor: th.Tensor) -> None:
    first, second = copy_tensors([tensor, [tensor, "text"]]).unpack()
    for copy in (first, second[0]):
        assert (copy.dtype, copy.shape, copy.stride()) == (tensor.dtype, tensor.shape, tensor.stride())
        assert th.equal(copy, tensor) and not copy.requires_grad
        assert copy.untyped_storage().nbytes() == tensor.nbytes
    assert tensor.numel() == 0 or first.data_ptr() != second[0].data_ptr()


def _trained() -> tuple[th.nn.Module, th.optim.Optimizer]:
    network = th.nn.Sequential(th.nn.Linear(3, 4), th.nn.BatchNorm1d(4))
    optimizer = th.optim.Adam(network.parameters())
    _train(network, optimizer)
    return network, optimizer


def _train(network: th.nn.Module, optimizer: th.optim.Optimizer) -> None:
    optimizer.zero_grad()
    network(th.rand(2, 3)).square().sum().backward()
    optimizer.step()


def _replace_data(network: th.nn.Module, _: th.optim.Optimizer) -> None:
    network[0].weight.data = th.rand(4, 3)


def _transpose(network: th.nn.Module, _: th.optim.Optimizer) -> None:
    network[0].weight.data = network[0].weight.data.t()


def _load_optimizer(_: th.nn.Module, optimizer: th.optim.Optimizer) -> None:
    optimizer.load_state_dict(optimizer.state_dict())


def _new_layer(network: th.nn.Module, _: th.optim.Optimizer) -> None:
    network.append(th.nn.Linear(4, 4))


def _freeze(network: th.nn.Module, _: th.optim.Optimizer) -> None:
    network[0].bias = None


def _learning_rate(_: th.nn.Module, optimizer: th.optim.Optimizer) -> None:
    optimizer.param_groups[0]["lr"] = 0.5


@pytest.mark.parametrize(
    "change",
    [_train, _replace_data, _transpose, _load_optimizer, _new_layer, _freeze, _learning_rate],
    ids=lambda change: change.__name__,
)
def test_the_second_copy_sees_every_change(change: Callable[[th.nn.Module, th.optim.Optimizer], None]) -> None:
    network, optimizer = _trained()
    copier = TensorCopier()

    def copied() -> TensorCopy:
        return copier.copy([state_dictionary(network), state_dictionary(optimizer)])

    first = copied()
    before = repr(first.unpack())
    change(network, optimizer)
    second = copied().unpack()
    assert repr(second) == repr(copy_tensors([network.state_dict(), optimizer.state_dict()]).unpack())
    assert second[0]["0.weight"].stride() == network[0].weight.stride()
    assert repr(first.unpack()) == before


def test_a_sparse_tensor_is_copied_anew_each_time() -> None:
    copier, sparse = TensorCopier(), th.eye(2).to_sparse()
    copies = [copier.copy([sparse, th.ones(1)])]
    sparse.mul_(3.0)
    copies.append(copier.copy([sparse, th.ones(1)]))
    assert [float(copy.unpack()[0].to_dense().sum()) for copy in copies] == [2.0, 6.0]


class _Extra(th.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = th.nn.Linear(2, 2)

    def get_extra_state(self) -> int:
        return 7

    def set_extra_state(self, state: int) -> None:
        assert state == 7


def _hooked() -> th.nn.Module:
    network = th.nn.Sequential(th.nn.Linear(2, 2))
    network[0]._register_state_dict_hook(lambda _module, found, prefix, _: found.update({prefix + "more": th.ones(1)}))
    return network


def _hidden() -> th.nn.Module:
    network = th.nn.BatchNorm1d(2)
    network.register_buffer("passing", th.ones(1), persistent=False)
    network.register_parameter("none", None)
    return network


@pytest.mark.parametrize("make", [_Extra, _hooked, _hidden, lambda: th.nn.LSTM(2, 3), lambda: th.nn.ModuleDict({})])
def test_a_state_dictionary_is_what_pytorch_says(make: Callable[[], th.nn.Module]) -> None:
    network = make()
    assert repr(copy_tensors(state_dictionary(network)).unpack()) == repr(copy_tensors(network.state_dict()).unpack())


@pytest.mark.parametrize("make", [_hidden, lambda: th.nn.LSTM(2, 3)])
def test_a_state_dictionary_holds_the_tensors_themselves(make: Callable[[], th.nn.Module]) -> None:
    ours, theirs = state_dictionary(network := make()), network.state_dict(keep_vars=True)
    assert list(ours) == list(theirs) and all(map(operator.is_, ours.values(), theirs.values()))
