"""A small classifier of digits, whose last hidden layer is the feature space of the digit models."""

import hashlib
from importlib.resources import files

import torch
from safetensors.torch import load
from torch import Tensor, nn
from torch.nn.functional import max_pool2d, relu

from ganzoo import Features

WEIGHTS = "digits-cnn.safetensors"


class DigitsNet(nn.Module):
    """Digits (N, 1, 28, 28) in [0, 1] to 64 features of about unit variance and to 10 logits."""

    def __init__(self) -> None:
        super().__init__()
        widths = (1, 16, 32, 64, 64)
        kernels = (5, 3, 3, 3)
        self.convs = nn.ModuleList(
            nn.Conv2d(a, b, k, padding=k // 2, bias=False)
            for a, b, k in zip(widths[:-1], widths[1:], kernels, strict=True)
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(width) for width in widths[1:])
        self.features = nn.Linear(64 * 7 * 7, 64, bias=False)
        self.standard = nn.BatchNorm1d(64, affine=False)
        self.dropout = nn.Dropout(0.3)
        self.head = nn.Linear(64, 10)

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


class DigitsCNN(Features):
    """64 features of a digit, from a classifier trained on the 8,000 training digits of mnist-10k.

    Made by `python -m ganzoo_metrics.train_digits`; the weights' metadata holds its accuracy on the 2,000 held out.
    """

    size, channels, width = 28, 1, 64
    labels = tuple("0123456789")
    licence = "Apache-2.0"

    def __init__(self, config=None):
        super().__init__(config)
        content = (files(__package__) / WEIGHTS).read_bytes()
        self.weights_sha256 = hashlib.sha256(content).hexdigest()
        network = DigitsNet()
        network.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in load(content).items()})
        self.network = self.frozen(network)

    def embed(self, images: Tensor) -> Tensor:
        return self.network.embed(images)

    def classify(self, features: Tensor) -> Tensor:
        return self.network.classify(features)


@torch.inference_mode()
def accuracy(network: nn.Module, images: Tensor, labels: Tensor) -> float:
    """The fraction of digits, uint8 (N, 1, 28, 28), that the network names rightly."""
    network.eval()
    named = [network(batch.float() / 255).argmax(1) for batch in images.split(500)]
    return (torch.cat(named) == labels).float().mean().item()
