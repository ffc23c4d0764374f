"""A small classifier of grey pictures, trained in a minute, whose last hidden layer is a feature space."""

import hashlib
from importlib.resources import files

import torch
from safetensors.torch import load
from torch import Tensor, nn
from torch.nn.functional import max_pool2d, relu

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


@torch.inference_mode()
def accuracy(network: nn.Module, images: Tensor, labels: Tensor) -> float:
    """The fraction of pictures, uint8 (N, 1, side, side), that the network names rightly."""
    network.eval()
    named = [network(batch.float() / 255).argmax(1) for batch in images.split(500)]
    return (torch.cat(named) == labels).float().mean().item()
