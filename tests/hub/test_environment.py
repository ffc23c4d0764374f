"""Loading in processes whose surroundings are odd: no home, a blank token, a full disk, each other, a fork."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

import ganzoo
from ganzoo.errors import HubError
from ganzoo.hub.client import Hub

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


@pytest.fixture
def shared():
    """A folder that everybody may look into, as a shared cache is; pytest's own are its user's alone."""
    folder = Path(tempfile.mkdtemp(prefix="ganzoo-shared-"))
    folder.chmod(0o755)
    yield folder
    for path in (folder, *folder.rglob("*")):
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o755)
    shutil.rmtree(folder)


def read_only(folder):
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o555 if path.is_dir() else 0o444)


def as_anybody(work):
    """What `work` returns in a child that may write nowhere but in its own folders: root gives its rights up first."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        signal.alarm(60)
        said = "nothing"
        try:
            if os.geteuid() == 0:
                os.setgroups([]), os.setgid(65534), os.setuid(65534)
            said = str(work())
        except BaseException as error:
            said = f"{type(error).__name__}: {error}"
        os.write(writer, said.encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        said = pipe.read()
    os.waitpid(child, 0)
    return said


def test_a_cache_that_may_only_be_read_serves_what_it_holds(hub_server, published, shared):
    hub = Hub(hub_server.url, False, shared / "cache")
    origin = ganzoo.load("hf://user/digits", hub=hub, device="cpu").origin
    before = sorted(shared.rglob("*"))
    read_only(shared / "cache")

    def work():
        with contextlib.suppress(PermissionError):
            (shared / "cache" / "x").write_text("x")
            return "it could be written, so this shows nothing"
        return ganzoo.load("hf://user/digits", hub=hub, device="cpu").origin

    assert as_anybody(work) == origin
    hub_server.close()
    assert as_anybody(work) == origin
    assert sorted(shared.rglob("*")) == before


def test_a_cache_that_may_only_be_read_and_lacks_it_is_said(hub_server, published, shared):
    hub = Hub(hub_server.url, False, shared / "cache")
    (shared / "cache").mkdir()
    read_only(shared / "cache")
    said = as_anybody(lambda: ganzoo.load("hf://user/digits", hub=hub, device="cpu"))
    assert said == f"HubError: the cache {str(shared / 'cache')!r} can't be written: Permission denied"
    assert list((shared / "cache").iterdir()) == []


def test_a_file_where_the_cache_should_be_is_said(hub_server, published, tmp_path):
    (tmp_path / "cache").write_text("not a folder")
    with pytest.raises(HubError, match="the cache .* can't be written: (Not a directory|File exists)"):
        ganzoo.load("hf://user/digits", hub=Hub(hub_server.url, False, tmp_path / "cache"), device="cpu")
    assert (tmp_path / "cache").read_text() == "not a folder"


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
