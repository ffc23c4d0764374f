"""Label-conditional forms of the first family's networks, their recipes and a trained model."""

from ganzoo import files_in, hookimpl, shipped_model


@hookimpl
def ganzoo_architectures():
    names = {"conditional-mlp": "ConditionalMLP", "conditional-dcgan": "ConditionalDCGAN"}
    found = {name: f"ganzoo_conditional.architectures:{target}" for name, target in names.items()}
    return {**found, "captioned-dcgan": "ganzoo_conditional.captions:CaptionedDCGAN"}


@hookimpl
def ganzoo_recipes():
    return files_in(__name__, "recipes", ".toml")


@hookimpl
def ganzoo_models():
    return {name: shipped_model(name) for name in ("cgan-mnist", "glyphs")}
