"""Residual networks: the generators and critics of SNGAN and WGAN-GP, self-attention, BigGAN."""

from ganzoo import files_in, hookimpl


@hookimpl
def ganzoo_architectures():
    names = {"resnet": "Resnet", "conditional-resnet": "ConditionalResnet"}
    found = {name: f"ganzoo_resnet.architectures:{target}" for name, target in names.items()}
    return {**found, "biggan": "ganzoo_resnet.biggan:BigGAN"}


@hookimpl
def ganzoo_recipes():
    return files_in(__name__, "recipes", ".toml")
