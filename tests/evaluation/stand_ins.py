"""Models whose faults are known: they draw real digits as a generator would, each fault in one line."""

import math

import torch
from torch import nn
from torch.nn.functional import affine_grid, grid_sample

from ganzoo import Generator, Model
from ganzoo.folder import ModelConfig
from ganzoo_data.mnist import MNIST10k


class Drawer(Generator):
    """Draws a training digit of the class asked for, slightly turned and shifted so that it is no copy."""

    latent_size = 4

    def __init__(self, blind=False, kinds=None, turned=True):
        super().__init__()
        data = MNIST10k().data
        self.images, self.labels = data["image"], data["label"]
        self.blind, self.kinds, self.turned = blind, kinds, turned
        self.dtype = nn.Parameter(torch.zeros(1))
        self.rows = [(self.labels == i).nonzero()[:, 0] for i in range(10)]

    def forward(self, latents, label):
        uniform = torch.special.ndtr(latents.double())
        if self.blind:  # some class, whatever was asked for
            label = (uniform[:, 3] * 10).long()
        most = torch.tensor([self.kinds or len(rows) for rows in self.rows])[label]
        places = (uniform[:, 0] * most).long()
        chosen = torch.stack([self.rows[c][p] for c, p in zip(label.tolist(), places.tolist(), strict=True)])
        images = self.images[chosen].float() / 127.5 - 1
        if not self.turned:
            return images
        angle, shift = (uniform[:, 1] - 0.5) * math.radians(24), (uniform[:, 2] - 0.5) * 0.2
        cos, sin = torch.cos(angle), torch.sin(angle)
        matrix = torch.stack([cos, -sin, shift, sin, cos, -shift], 1).view(-1, 2, 3).float()
        grid = affine_grid(matrix, list(images.shape), align_corners=False)
        return grid_sample(images + 1, grid, align_corners=False) - 1


def model(labelled=True, **faults):
    """A stand-in as `ganzoo.load` would give it; unlabelled it draws a class at random."""
    spec = MNIST10k().spec
    data = {"name": "mnist-10k", "conditions": ["label"] if labelled else []}
    recipe = {
        "name": "stand-in",
        "architecture": {"name": "conditional-mlp" if labelled else "mlp"},
        "strategy": {"name": "gan"},
        "data": data,
        "training": {"images": 1},
    }
    config = ModelConfig.read(
        {
            "schema": 1,
            "name": "stand-in",
            "task": "generate",
            "dtype": "float32",
            "networks": ["generator"],
            "spec": spec.model_dump(mode="json"),
            "recipe": recipe,
        }
    )
    network = Drawer(**faults) if labelled else Unlabelled(**faults)
    return Model(config, {"generator": network}, (-1.0, 1.0))


class Unlabelled(Drawer):
    def forward(self, latents):
        self.blind = True
        return super().forward(latents, torch.zeros(len(latents), dtype=torch.long))
