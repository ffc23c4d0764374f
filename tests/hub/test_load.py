import torch

import ganzoo


def test_a_published_model_loads(published, stranger, run):
    model = ganzoo.load("hf://user/digits", hub=stranger, device="cpu")
    assert torch.equal(model.sample(3, seed=1), run.model("cpu").sample(3, seed=1))
