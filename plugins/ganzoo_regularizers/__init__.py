"""What a recipe adds to any adversarial strategy: augmentations, gradient penalties, spectral norm, consistency."""

from ganzoo import files_in, hookimpl


@hookimpl
def ganzoo_regularizers():
    return {
        "diffaugment": "ganzoo_regularizers.augmentations:DiffAugment",
        "ada": "ganzoo_regularizers.ada:ADA",
        "r1": "ganzoo_regularizers.penalties:R1",
        "r2": "ganzoo_regularizers.penalties:R2",
        "gradient-penalty": "ganzoo_regularizers.penalties:GradientPenalty",
        "dragan": "ganzoo_regularizers.penalties:DRAGAN",
        "consistency": "ganzoo_regularizers.penalties:Consistency",
        "spectral-norm": "ganzoo_regularizers.spectral:SpectralNorm",
    }


@hookimpl
def ganzoo_recipes():
    return files_in(__name__, "recipes", ".toml")
