"""The engine against the same training step written by hand in plain torch, as fast as we can write it."""

import copy
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import mkdtemp

import torch
import torch.distributed as dist
from torch.nn.functional import softplus

import ganzoo
from ganzoo.engine.loop import Engine
from ganzoo.engine.observers import Observers
from ganzoo.engine.processes import Processes
from ganzoo.recipes import Recipe
from ganzoo.resolve import Parts, resolve
from ganzoo.run import Run

THIN = {"architecture.width": 4, "architecture.latent_size": 4, "training.batch_size": 2}


def engine(recipe: Recipe | Parts, device: str = "cpu") -> Engine:
    """An engine ready to step, with everything on: averages, metrics and the log at its interval."""
    parts = recipe if isinstance(recipe, Parts) else resolve(recipe)
    made = Engine(parts, Run(Path(mkdtemp())), Processes(device), Observers())
    made.run.begin(made.parts.recipe, made.parts.spec)
    made._log_start()
    return made


def engine_step(recipe: Recipe | Parts, device: str = "cpu") -> Callable[[], None]:
    """One step of an engine of its own."""
    return step_of(engine(recipe, device))


def step_of(made: Engine) -> Callable[[], None]:
    """One step as `Engine.train` takes it, its log included; within `made.products()`, as there, it is quickest."""

    def step() -> None:
        before = made.images
        made._step()
        if made.crossed(before, made.training.log_every):
            made._log()

    return step


def by_hand(recipe: Recipe) -> Callable[[], None]:
    """The same step of `r1r2` with the relativistic loss: one generator forward for both updates, the discriminator on
    both batches at once, gradients of one player only, fused Adam, multi-tensor average, no host read. With several
    processes each takes its share of the batch, and an update's gradients are reduced as one flat tensor."""
    parts = resolve(recipe)
    training = parts.recipe.training
    G, D = (parts.architecture.build(name) for name in ("generator", "discriminator"))
    average = copy.deepcopy(G).eval().requires_grad_(False)
    betas, lr = training.optimizer.betas, training.optimizer.lr
    optimize = {net: torch.optim.Adam(net.parameters(), lr=lr, betas=betas, fused=True) for net in (G, D)}
    images, labels = parts.dataset.data["image"], parts.dataset.data["label"]
    order = torch.randperm(len(images))
    world = dist.get_world_size() if dist.is_initialized() else 1
    gamma, size, position = parts.strategy.config.gamma, training.batch_size // world, [0]

    weights = {net: list(net.parameters()) for net in (G, D)}
    averaged, buffers = list(average.parameters()), list(zip(average.buffers(), G.buffers(), strict=True))

    def update(net: torch.nn.Module, loss: torch.Tensor) -> None:
        gradients: Sequence[torch.Tensor] = torch.autograd.grad(loss, weights[net])
        if world > 1:
            flat = torch.cat([g.flatten() for g in gradients])
            dist.all_reduce(flat)
            pieces = flat.div_(world).split([g.numel() for g in gradients])
            gradients = [piece.view_as(g) for piece, g in zip(pieces, gradients, strict=True)]
        for p, g in zip(weights[net], gradients, strict=True):
            p.grad = g
        optimize[net].step()
        for p in weights[net]:
            p.grad = None

    def step() -> None:
        start = position[0] % (len(images) - size)
        position[0] += size
        rows = order[start : start + size]
        real, label = images[rows].float().mul_(2 / 255).sub_(1), labels[rows]
        fake = G(torch.randn(size, G.latent_size), label)
        both = torch.cat([real, fake.detach()]).requires_grad_()
        logits = D(both, torch.cat([label, label]))
        (slope,) = torch.autograd.grad(logits.sum(), both, create_graph=True)
        penalty = slope.flatten(1).square().sum(1).sum() / size
        real_logits, fake_logits = logits.chunk(2)
        update(D, softplus(fake_logits - real_logits).mean() + gamma / 2 * penalty)
        with torch.no_grad():
            real_logits = D(real, label)
        update(G, softplus(real_logits - D(fake, label)).mean())
        with torch.no_grad():
            torch._foreach_lerp_(averaged, weights[G], 0.005)
            for to, of in buffers:
                to.copy_(of)

    return step


def recipes() -> dict[str, Recipe]:
    """The two sizes at which the engine is held to the loop by hand."""
    real = ganzoo.recipe("cgan-mnist")
    return {"cgan-mnist, batch 64": real, "host cost (thin networks, batch 2)": real.changed(THIN)}
