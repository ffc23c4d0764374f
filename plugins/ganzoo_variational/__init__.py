"""Variational autoencoders: a generator trained by the images that it can give back; a trained one of digits."""

from ganzoo import files_in, hookimpl, shipped_model


@hookimpl
def ganzoo_architectures():
    names = {"vae": "VAE", "conditional-vae": "ConditionalVAE", "vae-gan": "VAEGAN"}
    return {name: f"ganzoo_variational.architectures:{target}" for name, target in names.items()}


@hookimpl
def ganzoo_strategies():
    return {"vae": "ganzoo_variational.strategies:VAE", "vae-gan": "ganzoo_variational.strategies:VAEGAN"}


@hookimpl
def ganzoo_recipes():
    return files_in(__name__, "recipes", ".toml")


@hookimpl
def ganzoo_models():
    return {"vae-mnist": shipped_model("vae-mnist")}
