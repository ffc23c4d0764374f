"""One pixel after another, each from the distribution that those before it leave."""

from ganzoo import files_in, hookimpl, shipped_model


@hookimpl
def ganzoo_architectures():
    names = {"pixelcnn": "PixelCNN", "conditional-pixelcnn": "ConditionalPixelCNN"}
    return {name: f"ganzoo_autoregressive.architectures:{target}" for name, target in names.items()}


@hookimpl
def ganzoo_strategies():
    return {"pixelcnn": "ganzoo_autoregressive.strategies:PixelCNN"}


@hookimpl
def ganzoo_recipes():
    return files_in(__name__, "recipes", ".toml")


@hookimpl
def ganzoo_models():
    return {"pixelcnn-mnist": shipped_model("pixelcnn-mnist")}
