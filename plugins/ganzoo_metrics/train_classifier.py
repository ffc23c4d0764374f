"""Train a `SmallClassifier` for the feature network of a package, on the training split of its data alone."""

import argparse
import math
import time
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn.functional import affine_grid, cross_entropy, grid_sample

from ganzoo_metrics.classifier import ClassifierFeatures, SmallClassifier, accuracy


def command(
    module: str,
    kind: type[ClassifierFeatures],
    dataset: type[Any],
    *,
    epochs: int,
    augment: Callable[[Tensor], Tensor],
    trained_on: str,
    seen: str,
    unseen: str,
) -> None:
    """`python -m MODULE`: train, and write the weights. The last three arguments are words for their metadata."""
    parser = argparse.ArgumentParser(prog=f"python -m {module}", description=f"Train {kind.weights}.")
    parser.add_argument("--out", type=Path, default=Path(str(files(kind.anchor) / kind.weights)))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=epochs)
    chosen = parser.parse_args()
    began = time.monotonic()
    torch.manual_seed(chosen.seed)
    data, held_out = (dataset(dataset.Config(split=split)).data for split in ("train", "test"))
    network = SmallClassifier(kind.size, len(kind.labels), kind.widths)
    made = train(network, data["image"], data["label"], epochs=chosen.epochs, augment=augment)
    about = {
        "made by": f"python -m {module} --seed {chosen.seed} --epochs {chosen.epochs}",
        "trained on": trained_on,
    }
    splits = {unseen: held_out, seen: data}
    measured = save(made, chosen.out, {n: (d["image"], d["label"]) for n, d in splits.items()}, **about)
    print(f"{time.monotonic() - began:.0f} s; {measured}")


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
