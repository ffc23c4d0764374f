"""Data that comes with ganzoo, and a person's own."""

from ganzoo import hookimpl


@hookimpl
def ganzoo_datasets():
    return {
        "mnist-10k": "ganzoo_data.mnist:MNIST10k",
        "image-folder": "ganzoo_data.folder:ImageFolder",
        "huggingface": "ganzoo_data.huggingface:HuggingFace",
        "webdataset": "ganzoo_data.tar_shards:WebDataset",
    }
