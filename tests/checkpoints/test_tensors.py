"""A copy of state dictionaries is complete, shares nothing with training, and keeps layouts."""

from __future__ import annotations

from collections import OrderedDict

import pytest
import torch as th

from validation_ch7.checkpoints.tensors import copy_tensors


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
