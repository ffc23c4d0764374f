"""Projected GANs: discriminators on what a network trained on ImageNet sees."""

from ganzoo import files_in, hookimpl


@hookimpl
def ganzoo_architectures():
    names = {"projected": "Projected", "conditional-projected": "ConditionalProjected"}
    return {name: f"ganzoo_projected.architectures:{target}" for name, target in names.items()}


@hookimpl
def ganzoo_recipes():
    return files_in(__name__, "recipes", ".toml")
