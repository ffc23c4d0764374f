"""Super-resolution: networks that enlarge, discriminators of what they make, patches of photographs."""

from ganzoo import files_in, hookimpl, shipped_model


@hookimpl
def ganzoo_architectures():
    names = {"srresnet": "SRResNet", "rrdb": "RRDB", "srcompact": "Compact"}
    return {name: f"ganzoo_superres.architectures:{target}" for name, target in names.items()}


@hookimpl
def ganzoo_strategies():
    return {"pixel": "ganzoo_superres.strategies:Pixel", "srgan": "ganzoo_superres.strategies:SRGAN"}


@hookimpl
def ganzoo_datasets():
    return {"photo-folder": "ganzoo_superres.folder:PhotoFolder"}


@hookimpl
def ganzoo_recipes():
    return files_in(__name__, "recipes", ".toml")


@hookimpl
def ganzoo_models():
    return {name: shipped_model(name) for name in ("srresnet-photos-x4",)}
