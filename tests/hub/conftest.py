"""A Hub on loopback for each test, and a small trained model to put there."""

import shutil
import time

import pytest

import ganzoo
from ganzoo.hub.client import Hub
from tests.hub.loopback_hub import LoopbackHub

SMALL = {
    "name": "gan-mnist",
    "architecture": {"name": "mlp", "width": 8, "depth": 1, "latent_size": 4},
    "loss": {"name": "non-saturating"},
    "strategy": {"name": "gan"},
    "data": {"name": "mnist-10k"},
    "training": {"images": 64, "batch_size": 32},
}


@pytest.fixture
def hub_server():
    server = LoopbackHub()
    yield server
    server.close()


@pytest.fixture(autouse=True)
def _no_xet(monkeypatch):
    """Xet's content store is not emulated; the client then uses the LFS protocol."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    for name in ("HF_TOKEN", "HF_ENDPOINT", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def no_waiting(monkeypatch):
    """The client's back-off between retries takes no time; returns what it would have waited."""
    waited = []
    monkeypatch.setattr(time, "sleep", waited.append)
    return waited


@pytest.fixture
def hub(hub_server, tmp_path):
    """The Hub as its user `user` with a write token sees it."""
    return Hub(hub_server.url, hub_server.store.token("user"), tmp_path / "cache")


@pytest.fixture
def stranger(hub_server, tmp_path):
    """The Hub as somebody without a token sees it, with a cache of their own."""
    return Hub(hub_server.url, False, tmp_path / "strangers-cache")


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """A real run of two steps."""
    return ganzoo.train(SMALL, out=tmp_path_factory.mktemp("runs") / "small", device="cpu")


@pytest.fixture
def run(trained, tmp_path):
    """A copy of the run that a test may publish, which changes its card."""
    shutil.copytree(trained.folder, tmp_path / "run")
    return ganzoo.Run(tmp_path / "run")


@pytest.fixture(scope="session")
def exported(trained):
    """The run's model folder, as bytes by file name."""
    return {path.name: path.read_bytes() for path in sorted(trained.newest_export().iterdir())}


@pytest.fixture
def folder(exported, tmp_path):
    """A copy of the model folder that a test may spoil."""
    made = tmp_path / "model"
    made.mkdir()
    for name, content in exported.items():
        (made / name).write_bytes(content)
    return made


@pytest.fixture
def published(hub_server, exported):
    """The model in the repository `user/digits`."""
    return hub_server.store.repository("user/digits", exported)
