"""A small classifier of grey pictures, trained in a minute, whose last hidden layer is a feature space."""

import hashlib
import math
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import torch
from safetensors.torch import load, save_file
from torch import Tensor, nn
from torch.nn.functional import affine_grid, cross_entropy, grid_sample, max_pool2d, relu

from ganzoo import Features


class SmallClassifier(nn.Module):
    """Pictures (N, 1, side, side) in [0, 1] to 64 features of about unit variance, and to logits of the classes."""

    def __init__(self, side: int, classes: int, widths: tuple[int, int, int, int] = (16, 32, 64, 64)) -> None:
        super().__init__()
        ins, kernels = (1, *widths[:-1]), (5, 3, 3, 3)
        self.convs = nn.ModuleList(
            nn.Conv2d(a, b, k, padding=k // 2, bias=False) for a, b, k in zip(ins, widths, kernels, strict=True)
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(width) for width in widths)
        self.features = nn.Linear(widths[-1] * (side // 4) ** 2, 64, bias=False)
        self.standard = nn.BatchNorm1d(64, affine=False)
        self.dropout = nn.Dropout(0.3)
        self.head = nn.Linear(64, classes)

    def embed(self, images: Tensor) -> Tensor:
        x = images * 2 - 1
        for i, (conv, norm) in enumerate(zip(self.convs, self.norms, strict=True)):
            x = relu(norm(conv(x)))
            if i in (0, 2):
                x = max_pool2d(x, 2)
        return self.standard(self.features(x.flatten(1)))

    def classify(self, features: Tensor) -> Tensor:
        return self.head(self.dropout(relu(features)))

    def forward(self, images: Tensor) -> Tensor:
        return self.classify(self.embed(images))


class ClassifierFeatures(Features):
    """Features of a `SmallClassifier` whose weights lie in a package: `anchor` names it, `weights` the file."""

    anchor: str
    weights: str
    channels, width = 1, 64
    widths: tuple[int, int, int, int] = (16, 32, 64, 64)
    size: int

    def __init__(self, config=None):
        super().__init__(config)
        content = (files(self.anchor) / self.weights).read_bytes()
        self.weights_sha256 = hashlib.sha256(content).hexdigest()
        network = SmallClassifier(self.size, len(self.labels), self.widths)
        network.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in load(content).items()})
        self.network = self.frozen(network)

    def embed(self, images: Tensor) -> Tensor:
        return self.network.embed(images)

    def classify(self, features: Tensor) -> Tensor:
        return self.network.classify(features)


def train(
    network: SmallClassifier,
    images: Tensor,
    labels: Tensor,
    *,
    epochs: int,
    augment: Callable[[Tensor], Tensor],
    batch_size: int = 100,
    rate: float = 4e-3,
) -> SmallClassifier:
    """The trained network, from augmented uint8 pictures; AdamW, cosine rate with a warm-up, averaged weights."""
    optimizer = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=0.02)
    average = torch.optim.swa_utils.AveragedModel(
        network, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.995), use_buffers=True
    )
    each = len(images) // batch_size
    for step in range(epochs * each):
        if step % each == 0:
            order = torch.randperm(len(images))
        rows = order[step % each * batch_size :][:batch_size]
        progress = step / (epochs * each)
        for group in optimizer.param_groups:
            group["lr"] = rate * min(1, progress / 0.1) * (1 + math.cos(math.pi * progress)) / 2
        loss = cross_entropy(network(augment(images[rows].float() / 255)), labels[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        average.update_parameters(network)
    return average.module


def warped(images: Tensor, degrees: float, scale: float, shift: float, shear: float = 0.0) -> Tensor:
    """Pictures turned, scaled, sheared and shifted (in pixels) by up to so much, each by itself."""
    count, side = len(images), images.shape[-1]
    angle, grown = (torch.rand(count) * 2 - 1) * math.radians(degrees), 1 + (torch.rand(count) * 2 - 1) * scale
    moved = (torch.rand(count, 2) * 2 - 1) * shift / (side / 2)
    cos, sin = torch.cos(angle) / grown, torch.sin(angle) / grown
    leaned = (torch.rand(count) * 2 - 1) * shear if shear else 0
    matrix = torch.stack([cos, -sin + leaned * cos, moved[:, 0], sin, cos + leaned * sin, moved[:, 1]], 1)
    grid = affine_grid(matrix.view(count, 2, 3), list(images.shape), align_corners=False)
    return grid_sample(images, grid, align_corners=False)


def save(network: SmallClassifier, out: Path, splits: dict[str, tuple[Tensor, Tensor]], **about: str) -> dict:
    """Write the weights in half precision, and with them how they were made and how often they are right."""
    half = {k: v.half() if v.is_floating_point() else v for k, v in network.state_dict().items()}
    network.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in half.items()})
    measured = {f"accuracy on {name}": f"{accuracy(network, *split):.4f}" for name, split in splits.items()}
    save_file({k: v.contiguous() for k, v in half.items()}, out, metadata=about | measured)
    return measured


@torch.inference_mode()
def accuracy(network: nn.Module, images: Tensor, labels: Tensor) -> float:
    """The fraction of pictures, uint8 (N, 1, side, side), that the network names rightly."""
    network.eval()
    named = [network(batch.float() / 255).argmax(1) for batch in images.split(500)]
    return (torch.cat(named) == labels).float().mean().item()
