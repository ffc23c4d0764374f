"""Every hook with its arguments as in 0.1. Never change this file: plugins of that time must go on working."""

from ganzoo import hookimpl

TOLD = []


@hookimpl
def ganzoo_architectures():
    return {"frozen": "ganzoo_vanilla.architectures:MLP"}


@hookimpl
def ganzoo_losses():
    return {"frozen": "ganzoo_vanilla.losses:Hinge"}


@hookimpl
def ganzoo_strategies():
    return {"frozen": "ganzoo_vanilla.strategies:GAN"}


@hookimpl
def ganzoo_regularizers():
    return {}


@hookimpl
def ganzoo_datasets():
    return {"frozen": "ganzoo_data.mnist:MNIST10k"}


@hookimpl
def ganzoo_features():
    return {}


@hookimpl
def ganzoo_metrics():
    return {}


@hookimpl
def ganzoo_recipes():
    return {}


@hookimpl
def ganzoo_models():
    return {}


@hookimpl
def ganzoo_training_started(run):
    TOLD.append("started")


@hookimpl
def ganzoo_metrics_logged(run, step, metrics):
    TOLD.append("logged")


@hookimpl
def ganzoo_checkpoint_saved(run, step, path):
    TOLD.append("saved")


@hookimpl
def ganzoo_training_finished(run):
    TOLD.append("finished")


@hookimpl
def ganzoo_card_sections(run):
    return {"Frozen": "since 0.1"}
