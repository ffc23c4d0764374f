"""Style transfer: translation between two domains, paired and unpaired."""

from ganzoo import files_in, hookimpl, shipped_model


@hookimpl
def ganzoo_architectures():
    names = {"pix2pix": "Pix2Pix", "cyclegan": "CycleGAN", "cut": "CUT"}
    return {name: f"ganzoo_style.architectures:{target}" for name, target in names.items()}


@hookimpl
def ganzoo_strategies():
    names = {"pix2pix": "Pix2Pix", "cyclegan": "CycleGAN", "cut": "CUT"}
    return {name: f"ganzoo_style.strategies:{target}" for name, target in names.items()}


@hookimpl
def ganzoo_datasets():
    names = {"folder-pairs": "FolderPairs", "folder-unpaired": "FolderUnpaired"}
    return {name: f"ganzoo_style.folders:{target}" for name, target in names.items()}


@hookimpl
def ganzoo_recipes():
    return files_in(__name__, "recipes", ".toml")


@hookimpl
def ganzoo_models():
    return {name: shipped_model(name) for name in ("pix2pix-noto-fluent", "cut-noto-twemoji")}
