"""Small networks and a stepper without a recipe, to try the strategy contract by itself."""

import copy

import torch
from torch import nn

from ganzoo import Loss, Strategy, Update
from ganzoo.engine.optimizers import NetworkOptimizer
from ganzoo.engine.processes import Processes
from ganzoo.engine.updates import Stepper
from ganzoo.recipes import Optimizer
from ganzoo.strategy import Progress

SGD = {"name": "sgd", "lr": 0.1}


class Net(nn.Sequential):
    """Two linear layers in double precision, with the prior that a generator has."""

    per_sample = True

    def __init__(self, inputs, outputs):
        super().__init__(nn.Linear(inputs, 8), nn.Tanh(), nn.Linear(8, outputs))
        self.inputs = inputs
        self.double()

    def latent(self, count):
        return torch.randn(count, self.inputs, dtype=torch.float64)


def networks(**shapes):
    torch.manual_seed(0)
    return {name: Net(*shape) for name, shape in shapes.items()}


def data(start, stop):
    """Example i of an endless set: two inputs that depend on i alone."""
    rows = torch.arange(start, stop, dtype=torch.float64)[:, None]
    return (torch.sin(rows * torch.tensor([0.7, 1.3], dtype=torch.float64)),)


def stepper(strategy, nets, *, batch_size=8, accumulate=1, optimizer=SGD, read=data, seed=0, precision="fp32"):
    optimizers = {name: NetworkOptimizer(net, Optimizer.read(optimizer)) for name, net in nets.items()}
    return Stepper(strategy, nets, optimizers, read, Processes("cpu"), batch_size, accumulate, precision, seed)


def run(strategy, nets, steps=3, **options):
    """Take some steps; the networks move in place. Returns what each step did."""
    machine, done, images = stepper(strategy, nets, **options), [], 0
    for number in range(steps):
        strategy.__dict__["progress"] = Progress(number, images, 0.0)
        done.append(machine.step())
        images += done[-1].drawn
    return done


def weights(nets):
    return {f"{name}.{key}": value.clone() for name, net in nets.items() for key, value in net.state_dict().items()}


def clone(nets):
    return copy.deepcopy(nets)


PAIR = {"generator": (2, 2), "discriminator": (2, 1)}


class Wasserstein(Loss):
    def discriminator_loss(self, real, fake):
        return fake.mean() - real.mean()

    def generator_loss(self, fake, real):
        return -fake.mean()


class Plain(Strategy):
    """One update of each player, fixed latents so that micro-batches see what the big batch sees."""

    def step(self, nets, batches):
        (real,) = next(batches)
        fake = nets.generator(real.flip(1))
        yield Update(nets.discriminator, self.loss.discriminator(nets.discriminator(real), nets.discriminator(fake)))
        yield Update(nets.generator, self.loss.generator(nets.discriminator(nets.generator(real.flip(1)))))
