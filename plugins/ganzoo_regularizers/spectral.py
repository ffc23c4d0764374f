"""Layers that stretch no input by more than a factor."""

import torch
from pydantic import Field
from torch import nn
from torch.nn.functional import normalize

from ganzoo import Regularizer, Settings
from ganzoo.errors import PluginError
from ganzoo_stylegan.layers import EqualConv2d, EqualLinear

EQUAL = EqualLinear | EqualConv2d
FIRST = 15  # power iterations for weights that are new, built or loaded
LAYERS = nn.Linear | nn.Conv1d | nn.Conv2d | nn.ConvTranspose2d | nn.Embedding | EQUAL


class SpectralNorm(Regularizer):
    """Every layer of the discriminator divided by its largest singular value (Miyato et al., 2018, section 2.1).

    Power iteration happens once a step, after it, so that micro-batches and processes divide by the same number; a
    layer's output is divided instead of its weight, so that the network's state keeps its names. A layer that scales
    its weight at each use (StyleGAN2's) is divided by the value of what it uses. A discriminator with weights in other
    layers is refused.
    """

    class Config(Settings):
        bound: float = Field(1.0, gt=0, le=1e3, description="largest singular value of a layer")
        iterations: int = Field(1, ge=1, le=100, description="power iterations after a step")

    slopes = "bounded"

    def attach(self, network):
        layers = self.__dict__.setdefault("layers", [])  # they are the discriminator's, not this module's
        for place, layer in network.named_modules():
            learns = any(p.requires_grad and p.dim() > 1 for p in layer.parameters(recurse=False))
            if learns and not isinstance(layer, LAYERS):
                raise PluginError(
                    f"spectral-norm can't divide {place!r} of {type(network).__name__}, a {type(layer).__name__}; it "
                    "divides linear layers, convolutions and embeddings of torch.nn, and StyleGAN2's"
                )
            if learns:
                matrix = self.matrix(layer)
                name = f"left_{len(layers)}"
                left = torch.randn(len(matrix), device=matrix.device, dtype=matrix.dtype)
                self.register_buffer(name, normalize(left, dim=0))
                layers.append((name, layer))
                self.iterate(name, layer, FIRST)
                layer.register_forward_hook(lambda layer, _, out, name=name: self.divided(name, layer, out))
        network.register_load_state_dict_post_hook(lambda *_: self.follow(FIRST))  # a run's own state is loaded later

    def divided(self, name, layer, out):
        matrix, left = self.matrix(layer), getattr(self, name)
        with torch.autocast(matrix.device.type, enabled=False):
            with torch.no_grad():
                right = normalize(matrix.T @ left, dim=0, eps=1e-12)
            largest = (left @ matrix @ right) * (layer.scale if isinstance(layer, EQUAL) else 1)
            factor = (self.config.bound / largest).to(out.dtype)
        bias = getattr(layer, "bias", None)
        if bias is None:
            return out * factor
        bias = (bias * layer.rate if isinstance(layer, EqualLinear) else bias).to(out.dtype)
        bias = bias.view(-1, *[1] * (layer.weight.dim() - 2))
        return (out - bias) * factor + bias

    @torch.no_grad()
    def iterate(self, name, layer, count):
        matrix, left = self.matrix(layer), getattr(self, name)
        for _ in range(count):
            right = normalize(matrix.T @ left, dim=0, eps=1e-12)
            left.copy_(normalize(matrix @ right, dim=0, eps=1e-12))

    def follow(self, count):
        for name, layer in self.__dict__.get("layers", ()):
            self.iterate(name, layer, count)

    def after_step(self, means, images):
        self.follow(self.config.iterations)

    @staticmethod
    def matrix(layer):
        """The weight as the matrix (outputs, everything else)."""
        weight = layer.weight
        return (weight.transpose(0, 1) if isinstance(layer, nn.ConvTranspose2d) else weight).flatten(1)
