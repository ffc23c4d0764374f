"""The same works under libraries that install from PyPI today, each driven as its own documentation does.

They are installed without their dependencies beside the benchmark's interpreter (`python -m tests.benchmarks.peers`):
two of them pin versions of torch and torchvision that no longer exist for this Python. NEEDED says what each one had
to be given before it ran.
"""

import importlib.machinery
import subprocess
import sys
import tempfile
import types
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader

from ganzoo.torchvision_operators import with_torchvision
from tests.benchmarks.plain import loader
from tests.benchmarks.works import Work

FOLDER = Path(__file__).parents[2] / ".peers"
PACKAGES = Path(__file__).parent / "peers.txt"
NEEDED = {
    "torchgan": "runs as it is; its networks have to be of its own classes, which wrap ours; a gradient penalty is an "
    "update of its own",
    "vegans": "its pinned torchvision 0.9.1 left out; iterators given the `.next()` that torch dropped; "
    "the discriminator wrapped to end in a sigmoid; left out of WGAN-GP, where it ignores the number of critic steps",
    "vegans, losses kept": "with `save_losses_every=1`: to keep the losses of a step it computes them anew, where the "
    "other sides keep those that they have",
    "vegans, losses kept and shown": "with `print_every=1` too: to print them it computes them once more. Both happen "
    "once an epoch by default, which is this where an epoch is one batch",
    "mimicry": "stand-ins for tensorflow, which it imports for metrics and never calls in training, and `torch._six`; "
    "our networks wrapped in its base classes, whose `train_step` is the loop",
    "lightning": "runs as it is; a module with manual optimisation as in its documentation of GANs",
}
VERSIONS = {
    "torchgan": "torchgan",
    "vegans": "vegans",
    "vegans, losses kept": "vegans",
    "vegans, losses kept and shown": "vegans",
    "mimicry": "torch-mimicry",
    "lightning": "pytorch-lightning",
}


def install() -> None:
    """Fetch the peers into a folder that only this benchmark's workers see."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--upgrade", "--target", str(FOLDER)]
    subprocess.run([*command, "-r", str(PACKAGES)], check=True)


def version(name: str) -> str:
    """As installed, or an empty string."""
    from importlib.metadata import distributions

    found = [
        d.version for d in distributions(path=[str(FOLDER)]) if d.metadata["Name"].replace("_", "-") == VERSIONS[name]
    ]
    return found[0] if found else ""


def run(name: str, work: Work, gate: Callable[[], Callable[[], None]], bf16: bool = False) -> None:
    """Train until the gate ends the process, in bf16 where the library has a setting for it."""
    sys.path.append(str(FOLDER))
    with_torchvision("torchvision")
    loops = {
        "torchgan": _torchgan,
        "vegans": _vegans,
        "vegans, losses kept": partial(_vegans, keep_every=1),
        "vegans, losses kept and shown": partial(_vegans, keep_every=1, print_every=1),
        "mimicry": _mimicry,
        "lightning": partial(_lightning, precision="bf16-mixed" if bf16 else "32-true"),
    }
    loops[name](work, gate)


class _Endless:
    """Batches for ever; the gate is asked before each."""

    def __init__(self, pass_over: Callable[[], Iterator[Any]], gate: Callable[[], None]):
        self.pass_over, self.gate, self.batches = pass_over, gate, iter(())

    def __iter__(self) -> "_Endless":
        return self

    def __next__(self) -> Any:
        self.gate()
        for _ in range(2):
            for batch in self.batches:
                return batch
            self.batches = self.pass_over()
        raise RuntimeError("the loader is empty")

    next = __next__


def _gated(work: Work, gate: Callable[[], None], of: Callable[[Any], Any] = lambda batch: batch) -> DataLoader:
    class Gated(DataLoader):
        def __iter__(self) -> Any:
            usual = super().__iter__
            return _Endless(lambda: map(of, usual()), gate)

    return loader(work, Gated)


class _StandIn(types.ModuleType):
    """A module that has every name and does nothing."""

    def __init__(self, name: str):
        super().__init__(name)
        self.__spec__ = importlib.machinery.ModuleSpec(name, None)

    def __getattr__(self, name: str) -> Any:
        return _StandIn(name)

    def __call__(self, *_: Any, **__: Any) -> Any:
        return self


def _adam(work: Work) -> dict[str, Any]:
    return {"lr": work.lr, "betas": work.betas}


def _torchgan(work: Work, gate: Callable[[], Callable[[], None]]) -> None:
    from torchgan import losses
    from torchgan.models import Discriminator, Generator
    from torchgan.trainer import Trainer

    nets, told = work.networks(), "label" in work.data()
    label_type = "required" if told else "none"

    class G(Generator):
        def __init__(self) -> None:
            super().__init__(nets["generator"].latent_size, label_type)
            self.net = nets["generator"]

        def forward(self, z: torch.Tensor, *label: torch.Tensor) -> torch.Tensor:
            return self.net(z, *label)

    class D(Discriminator):
        def __init__(self) -> None:
            super().__init__(3, label_type)
            self.net = nets["discriminator"]

        def forward(self, x: torch.Tensor, *label: torch.Tensor) -> torch.Tensor:
            return self.net(x, *label)

    objective = [losses.MinimaxGeneratorLoss(), losses.MinimaxDiscriminatorLoss()]
    if work.step == "wgan-gp":
        objective = [losses.WassersteinGeneratorLoss(), losses.WassersteinDiscriminatorLoss()]
        objective.append(losses.WassersteinGradientPenalty())
    adam = {"name": torch.optim.Adam, "args": _adam(work)}
    folder = tempfile.mkdtemp()
    trainer = Trainer(
        {"generator": {"name": G, "optimizer": adam}, "discriminator": {"name": D, "optimizer": adam}},
        objective,
        device=torch.device("cpu"),
        ncritic=work.draws,
        epochs=1,
        sample_size=4,
        checkpoints=f"{folder}/model",
        recon=f"{folder}/images",
    )
    trainer(_gated(work, gate(), tuple if told else lambda batch: batch[0]))


def _vegans(
    work: Work,
    gate: Callable[[], Callable[[], None]],
    keep_every: int | None = None,
    print_every: int | None = None,
) -> None:
    from vegans.GAN import VanillaGAN

    nets = work.networks()

    class D(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = nets["discriminator"]

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.net(x).unsqueeze(1).sigmoid()

    column = next(iter(work.data().values()))
    model = VanillaGAN(
        nets["generator"],
        D(),
        x_dim=tuple(column.shape[1:]),
        z_dim=nets["generator"].latent_size,
        optim=torch.optim.Adam,
        optim_kwargs={"Generator": _adam(work), "Adversary": _adam(work)},
        folder=None,
        secure=False,
        device="cpu",
    )
    turns, drawn = gate(), 0

    def after_the_checks() -> None:  # it draws three batches before its loop
        nonlocal drawn
        drawn += 1
        if drawn > 3:
            turns()

    batches = _gated(work, after_the_checks, lambda batch: batch[0])
    model.fit(batches, epochs=1, batch_size=work.batch, print_every=print_every, save_losses_every=keep_every)


def _mimicry(work: Work, gate: Callable[[], Callable[[], None]]) -> None:
    for name in ("tensorflow", "tensorflow_gan"):
        sys.modules[name] = _StandIn(name)
    sys.modules["torch._six"] = _StandIn("torch._six")  # gone since torch 2.0
    from torch_mimicry.nets.gan import gan
    from torch_mimicry.nets.wgan_gp import wgan_gp_base
    from torch_mimicry.training import Trainer

    nets = work.networks()
    penalised = work.step == "wgan-gp"
    bases = (wgan_gp_base.WGANGPBaseGenerator, wgan_gp_base.WGANGPBaseDiscriminator)
    BaseG, BaseD = bases if penalised else (gan.BaseGenerator, gan.BaseDiscriminator)
    loss = {"hinge": "hinge", "wasserstein": "wasserstein", "non-saturating": "ns"}[work.loss or ""]

    class G(BaseG):
        def __init__(self) -> None:
            super().__init__(nz=nets["generator"].latent_size, ngf=0, bottom_width=4, loss_type=loss)
            self.net = nets["generator"]

        def forward(self, z: torch.Tensor) -> torch.Tensor:
            return self.net(z)

    class D(BaseD):
        def __init__(self) -> None:
            super().__init__(ndf=0, loss_type=loss)
            self.net = nets["discriminator"]

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.net(x).unsqueeze(1)

    netG, netD = G(), D()
    optG, optD = (torch.optim.Adam(net.parameters(), **_adam(work)) for net in (netG, netD))
    batches = _gated(work, gate(), lambda batch: (batch[0], torch.zeros(work.batch)))
    Trainer(
        netD,
        netG,
        optD,
        optG,
        batches,
        10**9,
        log_dir=tempfile.mkdtemp(),
        n_dis=work.draws,
        device=torch.device("cpu"),
        print_steps=50,
    ).train()


def _lightning(work: Work, gate: Callable[[], Callable[[], None]], precision: Any) -> None:
    import logging

    import pytorch_lightning

    from tests.benchmarks.loops import LOSSES

    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    discriminate, generate = LOSSES[work.loss or ""]
    nets = work.networks()

    class Module(pytorch_lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.automatic_optimization = False
            self.generator, self.discriminator = nets["generator"], nets["discriminator"]

        def configure_optimizers(self) -> Any:
            return [
                torch.optim.Adam(net.parameters(), **_adam(work)) for net in (self.generator, self.discriminator)
            ], []

        def training_step(self, batch: Any, _: int) -> None:
            real, *condition = batch
            opt_g, opt_d = self.optimizers()
            z = torch.randn(len(real), self.generator.latent_size).type_as(real)
            self.toggle_optimizer(opt_g)
            g_loss = generate(self.discriminator(self.generator(z, *condition), *condition))
            self.log("g_loss", g_loss)
            self.manual_backward(g_loss)
            opt_g.step()
            opt_g.zero_grad()
            self.untoggle_optimizer(opt_g)
            self.toggle_optimizer(opt_d)
            fake = self.generator(z, *condition).detach()
            d_loss = discriminate(self.discriminator(real, *condition), self.discriminator(fake, *condition))
            self.log("d_loss", d_loss)
            self.manual_backward(d_loss)
            opt_d.step()
            opt_d.zero_grad()
            self.untoggle_optimizer(opt_d)

    quiet = {"enable_progress_bar": False, "enable_model_summary": False, "enable_checkpointing": False}
    trainer = pytorch_lightning.Trainer(accelerator="cpu", precision=precision, max_epochs=-1, logger=False, **quiet)
    trainer.fit(Module(), _gated(work, gate()))


if __name__ == "__main__":
    install()
