"""A penalty through `straight` has the gradients that torch gives it, with less work."""

import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm
from torch.utils._python_dispatch import TorchDispatchMode

import ganzoo
import ganzoo.straight
from ganzoo.penalties import gradient_penalty, squared_gradient_norms, zero_centered_penalty
from ganzoo.registry import registry
from ganzoo.resolve import resolve
from tests.support import tiny


@pytest.fixture(autouse=True)
def however_small(monkeypatch):
    monkeypatch.setattr(ganzoo.straight, "SMALLEST", 0)


class Spelled(nn.Module):
    """Pieces in other spellings, some in place, some with names for their arguments."""

    def __init__(self):
        super().__init__()
        self.convs = nn.ModuleList([nn.Conv2d(3, 4, 3, 2, 1), nn.Conv2d(4, 4, 3, padding="same", groups=2, dilation=2)])

    def forward(self, x):
        x = functional.relu(self.convs[0](x), True)
        x = functional.leaky_relu(self.convs[1](x), negative_slope=0.2, inplace=False)
        x = functional.conv2d(input=x, weight=self.convs[0].weight[:, :1].expand(-1, 4, -1, -1), stride=1)
        return functional.max_pool2d(x.relu(), 2).flatten(1).sum(1)


class OwnWeights(nn.Module):
    """A convolution by weights that are made of the picture: there the slope does change with the values."""

    def __init__(self):
        super().__init__()
        self.make = nn.Linear(12, 12)

    def forward(self, x):
        weight = self.make(x.mean((0, 2))[:, :4].flatten()).view(1, 3, 2, 2)
        return functional.conv2d(x, weight).square().mean((1, 2, 3))


class Beside(nn.Module):
    """A branch that doesn't depend on the picture, and one without a straight piece."""

    def __init__(self):
        super().__init__()
        self.conv, self.start = nn.Conv2d(3, 2, 3), nn.Parameter(torch.randn(1, 3, 8, 8))

    def forward(self, x):
        return (torch.tanh(self.conv(x)) * self.conv(self.start)).mean((1, 2, 3))


def plain(*layers):
    return nn.Sequential(*layers, nn.Flatten(), nn.LazyLinear(1))


NETWORKS = {
    "convolutions": lambda: plain(
        nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AvgPool2d(2), nn.Conv2d(4, 2, 3), nn.LeakyReLU(0.2)
    ),
    "in place": lambda: plain(nn.Conv2d(3, 4, 3), nn.LeakyReLU(0.2, inplace=True), nn.Conv2d(4, 4, 3), nn.ReLU(True)),
    "smooth": lambda: plain(nn.Conv2d(3, 4, 3), nn.SiLU(), nn.ConvTranspose2d(4, 2, 4, 2, 1), nn.ReLU()),
    "norm": lambda: plain(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 4, 3, bias=False), nn.ReLU()),
    "spectral norm": lambda: plain(spectral_norm(nn.Conv2d(3, 4, 3)), nn.ReLU(), spectral_norm(nn.Conv2d(4, 4, 3))),
    "one dimension": lambda: plain(nn.Flatten(2), nn.Conv1d(3, 4, 5, 2), nn.ReLU(), nn.ConvTranspose1d(4, 2, 3)),
    "dense": lambda: plain(nn.Flatten(), nn.Linear(192, 8), nn.LeakyReLU(0.2), nn.Linear(8, 8), nn.ReLU()),
    "spelled": Spelled,
    "own weights": OwnWeights,
    "beside": Beside,
}


def by_torch(D, x, condition, target):
    x = x.detach().requires_grad_()
    (squared,) = squared_gradient_norms([D(x, *condition)], [x])
    return squared.mean() if target is None else ((squared + 1e-12).sqrt() - target).square().mean()


def gradients(penalty, D):
    weights = [p for p in D.parameters() if p.requires_grad]
    return torch.autograd.grad(penalty, weights, allow_unused=True)


def compare(D, x, *condition):
    state = {key: value.clone() for key, value in D.state_dict().items()}
    for target in (None, 1.0):
        torch.manual_seed(1)
        wanted = gradients(by_torch(D, x, condition, target), D)
        D.load_state_dict(state)
        torch.manual_seed(1)
        penalised = (D, x, *condition)
        mine = zero_centered_penalty(*penalised) if target is None else gradient_penalty(*penalised, target=target)
        found = gradients(mine, D)
        D.load_state_dict(state)
        assert [g is None for g in found] == [g is None for g in wanted]
        largest = max(g.abs().max() for g in wanted if g is not None)
        assert largest > 0
        for a, b in zip(found, wanted, strict=True):
            assert a is None or (a - b).abs().max() <= 1e-13 * largest


@pytest.mark.parametrize("name", NETWORKS)
def test_gradients_are_those_of_torch(name):
    torch.manual_seed(0)
    D, x = NETWORKS[name]().double(), torch.randn(4, 3, 8, 8, dtype=torch.float64)
    D(x)
    compare(D, x)


SCORING = [
    name
    for name in registry().names("recipe")
    if "discriminator" in registry().get("strategy", ganzoo.recipe(name).strategy.name).networks
    and ganzoo.recipe(name).strategy.name != "pix2pix"  # it scores pairs
]


@pytest.mark.parametrize("name", SCORING)
def test_every_discriminator_gets_the_gradients_of_torch(name):
    parts = resolve(tiny(name))
    D = parts.architecture.build("discriminator").double()
    columns = ("image", *parts.recipe.data.conditions) if "image" in parts.dataset.columns else parts.columns[1:2]
    x, *condition = parts.dataset.read(columns, 0, 0, 4)
    D(x.double(), *condition)
    compare(D, x.double(), *condition)


class Work(TorchDispatchMode):
    """How many convolutions of each kind run, gradients of a pass over zeros included."""

    def __init__(self):
        super().__init__()
        self.found = {"forward": 0, "inputs": 0, "weights": 0}

    def __torch_dispatch__(self, op, types, args=(), kwargs=None):
        if op is torch.ops.aten.convolution.default:
            self.found["forward"] += 1
        elif op is torch.ops.aten.convolution_backward.default:
            self.found["inputs"] += args[-1][0]
            self.found["weights"] += args[-1][1]
        return op(*args, **(kwargs or {}))


def test_a_penalty_costs_four_convolutions_a_layer_instead_of_six():
    D, x = NETWORKS["convolutions"](), torch.randn(4, 3, 8, 8)
    D(x)
    with Work() as mine:
        gradients(gradient_penalty(D, x), D)
    with Work() as usual:
        gradients(by_torch(D, x, (), 1.0), D)
    assert mine.found == {"forward": 4, "inputs": 2, "weights": 2}
    assert sum(usual.found.values()) > sum(mine.found.values())


def test_small_networks_are_left_to_torch(monkeypatch):
    monkeypatch.undo()
    x = torch.randn(4, 3, 8, 8, requires_grad=True)
    with ganzoo.straight.straight(x) as pieces:
        NETWORKS["convolutions"]()(x)
    assert not pieces.sources
