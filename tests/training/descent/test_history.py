"""The history of a descent: what is recorded, in which memory, and that its size is checked first."""

import pytest
import torch
from torch import nn

from slopewise.errors import OptionError
from slopewise.training.descent.history import Recorder, as_one, is_chain, lay_flat, plan_rows


class RecordingCallback:
    def __init__(self):
        self.notes, self.calls = [], []

    def note(self, text):
        self.notes.append(text)

    def epochs(self, done, total, cost):
        self.calls.append((done, total, cost))

    def rows(self, done, total):
        pass


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1)).double()


def test_parameters_become_views_of_one_tensor():
    module = network()
    before = torch.cat([part.detach().reshape(-1) for part in module.parameters()])
    flat = lay_flat(module)
    assert torch.equal(flat, before)
    flat.fill_(0.5)
    assert all(bool((part == 0.5).all()) for part in module.parameters())
    with torch.no_grad():
        module[2].bias += 1
    assert flat.tolist() == [0.5] * 20 + [1.5]


def test_as_one_parameter_both_see_every_change():
    module = network()
    flat = lay_flat(module)
    one = as_one(module, flat)
    for passes in (1, 2):  # a gradient adds up where it lies
        module(torch.ones(5, 3, dtype=torch.float64)).mean().backward()
        assert torch.equal(one.grad, torch.cat([part.grad.reshape(-1) for part in module.parameters()]))
        assert one.grad[-1] == passes
    torch.optim.SGD([one], lr=1.0).step()
    assert torch.equal(one.detach(), flat)
    assert torch.equal(flat, torch.cat([part.detach().reshape(-1) for part in module.parameters()]))


class Own(nn.Sequential):
    """A forward of its own may leave a layer aside."""

    def forward(self, x):
        return self[0](x)


@pytest.mark.parametrize(
    ("module", "chain"),
    [
        (nn.Linear(3, 1), True),
        (
            nn.Sequential(nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.PReLU()), nn.Dropout(), nn.Flatten(0)),
            True,
        ),
        (Own(nn.Linear(3, 1), nn.Linear(1, 1)), False),
        (nn.Sequential(Own(nn.Linear(3, 1), nn.Linear(1, 1)), nn.Flatten(0)), False),
        (nn.utils.parametrizations.weight_norm(nn.Linear(3, 1)), False),
        (nn.TransformerEncoderLayer(2, 1), False),
    ],
)
def test_a_chain_is_made_of_torchs_own_layers(module, chain):
    assert is_chain(module) is chain


def test_rows_hold_states_and_gradients():
    module = network()
    flat, parameters = lay_flat(module), list(module.parameters())
    recorder = Recorder(flat, parameters, 3, 1)
    x = torch.ones(5, 3, dtype=torch.float64)
    for epoch in range(2):
        module.zero_grad()
        module(x).mean().backward()
        recorder.keep(epoch, float(epoch), 0.1)
        expected = torch.cat([part.grad.reshape(-1) for part in parameters])
        assert torch.equal(recorder.gradients[epoch], expected)
        assert torch.equal(recorder.states[epoch], flat)
        flat.add_(1.0)
    history = recorder.history()
    assert history.epoch.tolist() == [0, 1]
    assert history.cost.tolist() == [0.0, 1.0]
    assert history.parameters.shape == history.gradient.shape == (2, 21)
    assert torch.equal(history.parameters[1], history.parameters[0] + 1)
    assert history.validation is None


@pytest.mark.parametrize(("history_every", "kept"), [(1, [0, 1, 2, 3, 4, 5, 6]), (3, [0, 3, 6]), (0, [0])])
def test_recorded_epochs(history_every, kept):
    recorder = Recorder(torch.zeros(1), [], 9, history_every)
    assert [epoch for epoch in range(7) if recorder.wants(epoch)] == kept
    assert plan_rows(epochs=6, history_every=history_every, p=1) > len(kept)


def test_memory_is_announced():
    callback = RecordingCallback()
    plan_rows(epochs=1000, history_every=1, p=20, callback=callback)
    assert callback.notes == []
    plan_rows(epochs=1_000_000, history_every=1, p=20, callback=callback)
    assert callback.notes == ["keeping 1,000,002 epochs x 20 parameters, 352 MB"]


def test_too_much_memory_is_refused_and_the_advice_fits():
    with pytest.raises(OptionError) as caught:
        plan_rows(epochs=10_000_000, history_every=1, p=100)
    sentence = str(caught.value)
    assert "a history of 10,000,002 epochs x 100 parameters would take 16.3 GB, and at most 4 GB" in sentence
    enough = int(sentence.split("history_every=")[1].split()[0])
    assert plan_rows(epochs=10_000_000, history_every=enough, p=100) < 2_500_000
    with pytest.raises(OptionError, match="choose a smaller model"):
        plan_rows(epochs=10, history_every=0, p=200_000_000)
