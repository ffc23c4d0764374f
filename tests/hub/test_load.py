"""Loading from the Hub: what a person asks for, and what they get or are told."""

import json
import os
import subprocess
import sys
import time

import pytest
import torch

import ganzoo
from ganzoo import names
from ganzoo.errors import ChecksumError, GanzooError, HubError, ModelError, UnknownNameError, UnreachableError
from ganzoo.hub.client import Hub

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def load(name, hub, **options):
    return ganzoo.load(name, hub=hub, device="cpu", **options)


def test_a_published_model_makes_the_images_of_its_run(published, stranger, run):
    model = load("hf://user/digits", stranger)
    assert torch.equal(model.sample(3, seed=1), run.model("cpu").sample(3, seed=1))
    assert model.origin == f"hf://user/digits@{published.branches['main']}"


def test_the_config_is_read_once_and_nothing_beyond_the_two_files_is(hub_server, published, stranger):
    load("hf://user/digits", stranger)
    fetched = [seen.path.rsplit("/", 1)[1] for seen in hub_server.asked("^GET .*/resolve/")]
    assert fetched == ["config.json"]  # the weights come from the content host
    assert len(hub_server.asked("^GET /objects/")) == 1
    assert "ganzoo/" in hub_server.asked("^GET .*config.json")[0].headers["user-agent"]
    hub_server.requests.clear()
    load("hf://user/digits", stranger)
    assert [str(seen) for seen in hub_server.requests] == ["GET /api/models/user/digits?blobs=true"]


@pytest.mark.parametrize("revision", ["main", "v1", "refs/pr/1", "commit"])
def test_every_kind_of_revision_loads(hub_server, published, exported, stranger, revision):
    first = published.branches["main"]
    published.tags["v1"] = first
    published.pulls["refs/pr/1"] = first
    published.commit({"config.json": b"{}"}) if revision != "main" else None
    asked = first if revision == "commit" else revision
    assert load(f"hf://user/digits@{asked}", stranger).origin.endswith(first)


def test_a_commit_that_is_cached_asks_no_network(hub_server, published, stranger):
    name = load("hf://user/digits", stranger).origin
    hub_server.requests.clear()
    load(name, stranger)
    assert hub_server.requests == []


def test_dtype_and_device_are_as_asked(published, stranger):
    model = load("hf://user/digits", stranger, dtype=torch.float64)
    assert {p.dtype for p in model.network.parameters()} == {torch.float64}
    assert model.sample(1).dtype == torch.float32
    with pytest.raises(ModelError, match=r"dtype must be one of torch's"):
        load("hf://user/digits", stranger, dtype=torch.int8)
    with pytest.raises(GanzooError, match="there is no device 'banana'"):
        ganzoo.load("hf://user/digits", hub=stranger, device="banana")


def test_a_private_repository_is_its_owners(published, hub, stranger):
    published.private = True
    load("hf://user/digits", hub)
    with pytest.raises(HubError, match=r"there is no hf://user/digits, or it is private: .*hf auth login"):
        load("hf://user/digits", stranger)


def test_a_gated_repository_says_what_to_do(hub_server, published, stranger, tmp_path):
    published.gated = True
    with pytest.raises(HubError, match="is gated: accept its terms on its page"):
        load("hf://user/digits", stranger)
    published.allowed.add("reader")
    load("hf://user/digits", Hub(hub_server.url, hub_server.store.token("reader", "read"), tmp_path / "reader"))


def test_a_wrong_token_is_named_as_the_fault_and_never_repeated(hub_server, published, tmp_path):
    with pytest.raises(HubError, match="refused the token .* wrong or expired") as caught:
        load("hf://user/digits", Hub(hub_server.url, "hf_wrongwrongwrong", tmp_path))
    assert "hf_wrong" not in str(caught.value)


def test_missing_repositories_and_revisions_are_told_apart(published, stranger):
    with pytest.raises(HubError, match="there is no hf://user/nothing"):
        load("hf://user/nothing", stranger)
    with pytest.raises(HubError, match="hf://user/digits@v9 has no such revision"):
        load("hf://user/digits@v9", stranger)


def test_unplugged_it_loads_what_is_cached_and_says_so_otherwise(hub_server, published, stranger, caplog):
    load("hf://user/digits", stranger)
    hub_server.close()
    assert load("hf://user/digits", stranger).name == "gan-mnist"
    assert "using hf://user/digits@" in caplog.text
    began = time.monotonic()
    with pytest.raises(UnreachableError, match="can't be reached .* holds nothing of it"):
        load("hf://user/other", stranger)
    assert time.monotonic() - began < 2


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_hub_that_fails_or_has_too_many_requests_stops_nothing_that_is_cached(
    hub_server, published, exported, stranger, caplog, status
):
    name = load("hf://user/digits", stranger).origin
    published.commit({"README.md": b"new"})
    hub_server.fault("GET /api/models/user", status=status, times=100)
    assert load("hf://user/digits", stranger).origin == name
    assert "try again later; using " + name + " from the cache" in caplog.text
    with pytest.raises(HubError, match="try again later$"):
        load("hf://user/digits@v2", stranger)


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_refusal_is_no_reason_to_use_what_is_cached(hub_server, published, stranger, status):
    load("hf://user/digits", stranger)
    hub_server.fault("GET /api/models/user", status=status)
    with pytest.raises(HubError):
        load("hf://user/digits", stranger)


def test_partly_cached_it_says_what_is_missing(hub_server, published, stranger):
    from huggingface_hub import hf_hub_download

    sha = published.branches["main"]
    hf_hub_download("user/digits", "config.json", revision="main", endpoint=hub_server.url, cache_dir=stranger.folder)
    hub_server.close()
    for name in ("hf://user/digits", f"hf://user/digits@{sha}"):
        began = time.monotonic()
        with pytest.raises(UnreachableError, match=r"only a part of it \(no model.safetensors\)"):
            load(name, stranger)
        assert time.monotonic() - began < 2


def test_files_in_the_store_of_all_repositories_are_found_and_checked(hub_server, published, stranger):
    """The client keeps a Xet file once, under Xet's own hash, and links to it from each repository's blobs."""
    name = load("hf://user/digits", stranger).origin
    (blob,) = (path for path in stranger.folder.glob("models--*/blobs/*") if len(path.name) == 64)
    store = stranger.folder / "blobs" / "ab" / ("ab" * 32)
    store.parent.mkdir(parents=True)
    blob.rename(store)
    blob.symlink_to(os.path.relpath(store, blob.parent))
    hub_server.close()
    for asked in ("hf://user/digits", name):
        assert load(asked, stranger).origin == name
    store.write_bytes(store.read_bytes()[:-1] + b"x")
    with pytest.raises(ChecksumError, match="model.safetensors"):
        load(name, stranger)


def test_a_branch_that_moved_stays_usable_offline(hub_server, published, exported, stranger):
    first = load("hf://user/digits", stranger).origin
    published.commit({"README.md": b"new"})
    hub_server.fault("GET .*/resolve/", status=500, times=100)
    hub_server.fault("HEAD .*/resolve/", status=404, headers={"X-Error-Code": "EntryNotFound"}, times=100)
    with pytest.raises(HubError):
        load("hf://user/digits", stranger)  # the new commit is there, its files can't be had
    hub_server.close()
    assert load("hf://user/digits", stranger).origin == first


@pytest.fixture
def shell(hub_server, tmp_path):
    """Run Python with the loopback Hub in its environment."""

    def run_python(code, **environment):
        given = {**os.environ, "HF_ENDPOINT": hub_server.url, "HF_HUB_CACHE": str(tmp_path / "shell"), **environment}
        given["HOME"] = str(tmp_path)
        return subprocess.run([sys.executable, "-c", code], env=given, capture_output=True, text=True, timeout=120)

    return run_python


def test_hf_hub_offline_uses_the_cache_and_no_socket(hub_server, published, shell, tmp_path):
    ganzoo.load("hf://user/digits", hub=Hub(hub_server.url, False, tmp_path / "shell"), device="cpu")
    hub_server.requests.clear()
    timed = (
        "import time, ganzoo\n"
        "print(ganzoo.load('hf://user/digits', device='cpu').origin)\n"
        "began = time.monotonic()\n"
        "try: ganzoo.load('hf://user/other', device='cpu')\n"
        "except ganzoo.GanzooError as e: print(type(e).__name__, time.monotonic() - began < 2, e)"
    )
    origin, said = shell(timed, HF_HUB_OFFLINE="1").stdout.split("\n", 1)
    assert origin == f"hf://user/digits@{published.branches['main']}"
    assert said.startswith("UnreachableError True")
    assert "HF_HUB_OFFLINE is set" in said
    assert hub_server.requests == []


def test_a_short_name_of_the_catalogue_is_its_pinned_commit(hub_server, published, exported, stranger, monkeypatch):
    import hashlib

    pin = {
        "repo": "user/digits",
        "revision": published.branches["main"],
        "task": "generate",
        "files": {
            name: {"sha256": hashlib.sha256(exported[name]).hexdigest(), "size": len(exported[name])}
            for name in ("config.json", "model.safetensors")
        },
    }
    listed = names.Catalogue.read({"models": {"digits": pin}}).models
    monkeypatch.setattr(names, "catalogue", lambda: listed)
    published.commit({"config.json": b"{}"})  # what main says now doesn't matter
    assert load("digits", stranger).name == "gan-mnist"
    assert hub_server.asked("GET /api/") == []
    pin["files"]["config.json"]["sha256"] = "0" * 64
    listed = names.Catalogue.read({"models": {"digits": pin}}).models
    with pytest.raises(ChecksumError, match=r"config.json of hf://user/digits@.* should be 0{64} and is [0-9a-f]{64}"):
        load("digits", stranger)


def test_the_shipped_catalogue_can_be_read():
    assert isinstance(names.catalogue(), dict)


def test_unknown_short_names_get_suggestions_and_no_request(hub_server, stranger):
    with pytest.raises(UnknownNameError, match=r"there is no model 'cgan-mnits'; did you mean 'cgan-mnist'"):
        load("cgan-mnits", stranger)
    assert hub_server.requests == []


def test_only_the_architectures_plugin_is_needed(published, exported, stranger):
    config = json.loads(exported["config.json"])
    config["recipe"]["loss"] = {"name": "a-loss-nobody-has"}
    config["recipe"]["strategy"] = {"name": "a-strategy-nobody-has", "version": 7}
    config["recipe"]["data"] = {"name": "data-nobody-has", "conditions": []}
    config["requires"] = ["ganzoo-nobody>=3"]
    published.commit({"config.json": json.dumps(config).encode()})
    assert load("hf://user/digits", stranger).sample(1).shape == (1, 1, 28, 28)


def test_files_and_folders_must_be_named_as_such(folder, stranger):
    assert ganzoo.load(f"file:{folder}", device="cpu").name == "gan-mnist"
    for name in (str(folder), "user/digits", "./digits", "~/digits"):
        with pytest.raises(ModelError, match="write file:"):
            load(name, stranger)
    with pytest.raises(ModelError, match="there is no folder"):
        load("file:/nowhere", stranger)
