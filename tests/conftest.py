"""One tiny conditional and one tiny unconditional training that many tests read and none changes."""

import pytest
import torch

import ganzoo
from tests.support import tiny


@pytest.fixture(autouse=True, scope="session")
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def conditional_run(tmp_path_factory):
    return ganzoo.train(tiny("cgan-mnist"), out=tmp_path_factory.mktemp("conditional") / "run", device="cpu")


@pytest.fixture(scope="session")
def unconditional_run(tmp_path_factory):
    return ganzoo.train(tiny("gan-mnist"), out=tmp_path_factory.mktemp("unconditional") / "run", device="cpu")


@pytest.fixture
def model(conditional_run):
    return conditional_run.model(device="cpu")


@pytest.fixture
def unconditional(unconditional_run):
    return unconditional_run.model(device="cpu")
