"""Style-based generators: a mapping network, convolutions modulated by its styles, noise at every resolution."""

from ganzoo import files_in, hookimpl


@hookimpl
def ganzoo_architectures():
    names = {"stylegan2": "StyleGAN2", "conditional-stylegan2": "ConditionalStyleGAN2"}
    return {name: f"ganzoo_stylegan.architectures:{target}" for name, target in names.items()}


@hookimpl
def ganzoo_strategies():
    return {"stylegan2": "ganzoo_stylegan.strategies:StyleGAN2"}


@hookimpl
def ganzoo_recipes():
    return files_in(__name__, "recipes", ".toml")
