"""The first family: unconditional networks, the adversarial losses and the basic strategies."""

from ganzoo import files_in, hookimpl


@hookimpl
def ganzoo_architectures():
    return {"mlp": "ganzoo_vanilla.architectures:MLP", "dcgan": "ganzoo_vanilla.architectures:DCGAN"}


@hookimpl
def ganzoo_losses():
    names = {
        "non-saturating": "NonSaturating",
        "minimax": "Minimax",
        "least-squares": "LeastSquares",
        "hinge": "Hinge",
        "wasserstein": "Wasserstein",
        "relativistic": "Relativistic",
    }
    return {name: f"ganzoo_vanilla.losses:{target}" for name, target in names.items()}


@hookimpl
def ganzoo_strategies():
    names = {"gan": "GAN", "wgan-gp": "WGANGP", "r1r2": "R1R2"}
    return {name: f"ganzoo_vanilla.strategies:{target}" for name, target in names.items()}


@hookimpl
def ganzoo_recipes():
    return files_in(__name__, "recipes", ".toml")
