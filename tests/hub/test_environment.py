"""Loading in processes whose surroundings are odd: no home, a blank token, a full disk, each other, a fork."""

import os
import signal
import subprocess
import sys

import pytest

import ganzoo

LOAD = "import ganzoo; print(ganzoo.load('hf://user/digits', device='cpu').sample(1, seed=0).shape[0])"
NO_ROOM = """
import resource, signal, ganzoo
from ganzoo.hub.client import Hub
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
try:
    ganzoo.load("hf://user/digits", device="cpu")
except ganzoo.GanzooError as error:
    print(type(error).__name__, error)
"""


@pytest.fixture
def started(hub_server, published, tmp_path):
    """Start Python with these variables added or (None) removed."""
    children = []

    def start(code, **variables):
        given = {**os.environ, "HF_ENDPOINT": hub_server.url, "HF_HUB_CACHE": str(tmp_path / "cache"), **variables}
        given = {name: value for name, value in given.items() if value is not None}
        child = subprocess.Popen(
            [sys.executable, "-c", code], env=given, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        children.append(child)
        return child

    yield start
    for child in children:
        child.kill()
        child.communicate()


def test_no_home_blank_tokens_and_each_other(started):
    children = [started(LOAD, HOME=None, HF_HOME=None), started(LOAD, HF_TOKEN=""), started(LOAD, HF_TOKEN=" \n")]
    for child in children:
        out, err = child.communicate(timeout=120)
        assert (out.strip(), child.returncode) == ("1", 0), err


def test_a_disk_that_is_full_is_said_and_nothing_is_kept(started, tmp_path):
    out, err = started(NO_ROOM).communicate(timeout=120)
    assert out.startswith("HubError the cache"), out + err
    assert "can't be written: File too large" in out
    left = [path for path in (tmp_path / "cache").rglob("*") if path.is_file() and "incomplete" in path.name]
    assert left == []


def test_a_model_works_in_a_forked_child(trained):
    model = trained.model("cpu")
    child = os.fork()
    if child == 0:
        signal.alarm(30)  # a child that hangs must not hang the tests
        os._exit(0 if model.sample(1, seed=0).shape == (1, 1, 28, 28) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_loading_again_in_the_same_process_gives_a_model_of_its_own(published, stranger):
    first, second = (ganzoo.load("hf://user/digits", hub=stranger, device="cpu") for _ in range(2))
    next(first.network.parameters()).zero_()
    assert next(second.network.parameters()).abs().sum() > 0
