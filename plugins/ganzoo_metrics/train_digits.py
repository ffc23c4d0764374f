"""Train `digits-cnn` on the 8,000 real training digits alone: `python -m ganzoo_metrics.train_digits --out FILE`."""

import argparse
import math
import time
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn.functional import affine_grid, cross_entropy, grid_sample

from ganzoo_data.mnist import MNIST10k
from ganzoo_metrics.digits import WEIGHTS, DigitsNet, accuracy


def train(seed: int = 0, epochs: int = 12, batch_size: int = 100, rate: float = 4e-3) -> DigitsNet:
    """The trained network, from shifted, turned and scaled training digits; cosine rate, averaged weights."""
    torch.manual_seed(seed)
    data = MNIST10k().data
    images, labels = data["image"], data["label"]
    network = DigitsNet()
    optimizer = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=0.02)
    average = torch.optim.swa_utils.AveragedModel(
        network, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.995), use_buffers=True
    )
    steps = epochs * (len(images) // batch_size)
    for step in range(steps):
        if step % (len(images) // batch_size) == 0:
            order = torch.randperm(len(images))
        first = step * batch_size % len(images)
        rows = order[first : first + batch_size]
        progress = step / steps
        for group in optimizer.param_groups:
            group["lr"] = rate * min(1, progress / 0.1) * (1 + math.cos(math.pi * progress)) / 2
        loss = cross_entropy(network(augmented(images[rows].float() / 255)), labels[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        average.update_parameters(network)
    return average.module


def augmented(images: Tensor) -> Tensor:
    """Digits turned by up to 12 degrees, scaled by up to 10 % and shifted by up to 2 pixels."""
    count = len(images)
    angle, scale = (torch.rand(count) * 2 - 1) * math.radians(12), 1 + (torch.rand(count) * 2 - 1) * 0.1
    shift = (torch.rand(count, 2) * 2 - 1) * 2 / 14  # in half sides
    cos, sin = torch.cos(angle) / scale, torch.sin(angle) / scale
    matrix = torch.stack([cos, -sin, shift[:, 0], sin, cos, shift[:, 1]], 1).view(count, 2, 3)
    return grid_sample(images, affine_grid(matrix, list(images.shape), align_corners=False), align_corners=False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name(WEIGHTS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=12)
    chosen = parser.parse_args()
    began = time.monotonic()
    network = train(chosen.seed, chosen.epochs)
    half = {k: v.half() if v.is_floating_point() else v for k, v in network.state_dict().items()}
    network.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in half.items()})
    measured = {}
    for split in ("train", "test"):
        data = MNIST10k(MNIST10k.Config(split=split)).data
        measured[split] = accuracy(network, data["image"], data["label"])
    about = {
        "made by": f"python -m ganzoo_metrics.train_digits --seed {chosen.seed} --epochs {chosen.epochs}",
        "trained on": "mnist-10k (train), 8,000 digits",
        "accuracy on the 2,000 held out": f"{measured['test']:.4f}",
        "accuracy on the training digits": f"{measured['train']:.4f}",
    }
    save_file({k: v.contiguous() for k, v in half.items()}, chosen.out, metadata=about)
    print(f"{time.monotonic() - began:.0f} s; held out {measured['test']:.4f}, training digits {measured['train']:.4f}")


if __name__ == "__main__":
    main()
