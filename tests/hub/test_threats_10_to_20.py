"""The threat table of docs/publish.md, T10 to T20: secrets, endpoints, names, the cache, requests."""
# ruff: noqa: RUF001

import gzip
import json
import os
import pickle
import traceback
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import ganzoo
from ganzoo.errors import ChecksumError, GanzooError, HubError, ModelError, PublishError, UnknownNameError
from ganzoo.hub import cache
from ganzoo.hub.client import Hub
from ganzoo.names import REPOSITORY, REVISION, Repo, find
from tests.hub.conftest import SMALL
from tests.hub.hostile import config_with, header_of, safetensors

PUBLISH = {"gate": False, "licence": "cc-by-sa-4.0"}


def test_T10_only_the_listed_files_are_published(hub_server, folder, hub):
    for name in (".env", "optimizer.pt", "train.log", ".git"):
        (folder / name).write_text("secret")
    (folder / "link.txt").symlink_to("/etc/passwd")
    os.mkfifo(folder / "pipe")
    ganzoo.publish(folder, "user/digits", **PUBLISH, hub=hub)
    repository = hub_server.store.repositories["user/digits"]
    ours = {"README.md", "config.json", "model.safetensors", "samples.png", ".gitattributes"}
    assert set(repository.commits[repository.branches["main"]].files) == ours


@pytest.mark.parametrize(
    "name", ["README.md", "config.json", "model.safetensors", "samples.png", "training.safetensors"]
)
@pytest.mark.parametrize("kind", ["symlink", "pipe", "folder"])
def test_T10_links_and_devices_are_not_published(hub_server, folder, hub, tmp_path, name, kind):
    content = (folder / name).read_bytes() if (folder / name).exists() else b""
    (folder / name).unlink(missing_ok=True)
    if kind == "symlink":
        (tmp_path / "elsewhere").write_bytes(content)
        (folder / name).symlink_to(tmp_path / "elsewhere")
    elif kind == "pipe":
        os.mkfifo(folder / name)
    else:
        (folder / name).mkdir()
    with pytest.raises(PublishError, match=r"is no regular file; symlinks and devices are not published"):
        ganzoo.publish(folder, "user/digits", **PUBLISH, hub=hub)
    assert hub_server.requests == []


def test_T10_a_loaded_folder_may_hold_no_links_either(folder, exported, tmp_path):
    (tmp_path / "elsewhere").write_bytes(exported["model.safetensors"])
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ModelError, match="there is no regular file model.safetensors"):
        ganzoo.load(f"file:{folder}", device="cpu")
    (folder / "model.safetensors").unlink()
    os.mkfifo(folder / "model.safetensors")
    with pytest.raises(ModelError, match="there is no regular file model.safetensors"):
        ganzoo.load(f"file:{folder}", device="cpu")


def test_T11_the_token_appears_nowhere(hub_server, tmp_path, caplog, capfd, monkeypatch):
    caplog.set_level("DEBUG")
    token = hub_server.store.token("user")
    hub = Hub(hub_server.url, token, tmp_path / "cache")
    monkeypatch.setenv("HF_TOKEN", token)
    run = ganzoo.train(SMALL, out=tmp_path / "run", device="cpu")
    options = {**PUBLISH, "hub": hub}
    made = ganzoo.publish(run, "user/digits", private=True, training=True, tag="v1", **options)
    ganzoo.load("hf://user/digits", hub=hub, device="cpu")
    tuned = {**SMALL, "start_from": "hf://user/digits"}
    ganzoo.train(tuned, out=tmp_path / "tuned", device="cpu", hub=hub)
    errors = []
    for status in (401, 403, 404, 500):
        hub_server.fault("/api/models/user/other", status=status)
        with pytest.raises(HubError) as error:
            ganzoo.load("hf://user/other", hub=hub)
        errors.append(error.value)
    for error in errors:
        assert error.__context__ is None  # the client's own error holds the request
        assert error.__cause__ is None
        assert token.encode() not in pickle.dumps(error)
        assert token not in "".join(traceback.format_exception(error)) + repr(vars(error))
    assert token not in caplog.text + made.card + repr(hub)
    assert token not in "".join(capfd.readouterr())
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(written) > 20
    assert [path for path in written if token.encode() in path.read_bytes()] == []
    sent = [seen for seen in hub_server.requests if token in str(seen.headers)]
    assert sent
    assert {seen.headers["host"].split(":")[0] for seen in sent} == {"127.0.0.1"}  # never the content host
    assert {s.headers["host"].split(":")[0] for s in hub_server.requests} == {"127.0.0.1", "localhost"}


@pytest.mark.parametrize("where", ["summary", "samples.png", "__metadata__"])
def test_T11_a_token_in_a_file_stops_the_publishing(hub_server, folder, exported, hub, where):
    token = "hf_" + "aB3" * 12
    if where == "summary":
        (folder / "config.json").write_bytes(config_with(exported, summary=f"made with {token}"))
    elif where == "samples.png":
        (folder / where).write_bytes(exported[where] + token.encode())
    else:
        header, data = header_of(exported["model.safetensors"])
        (folder / "model.safetensors").write_bytes(safetensors({"__metadata__": {"by": token}, **header}, data))
        config = json.loads(exported["config.json"])
        del config["weights"]
        (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(PublishError, match="holds what looks like a Hugging Face token") as error:
        ganzoo.publish(folder, "user/digits", **PUBLISH, hub=hub)
    assert token not in str(error.value)
    assert hub_server.requests == []


@pytest.mark.parametrize("token", ["", " ", "hf_abc\n", "hf_abc\r\nX: y", "hf_äöü"])
def test_T11_a_token_that_is_none_is_not_repeated(token):
    with pytest.raises(HubError, match="the token holds a space, a line end or nothing"):
        Hub(token=token)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://hub.example", "plain http"),
        ("ftp://hub.example", "no address of a Hub"),
        ("file:///etc", "no address of a Hub"),
        ("https://user:hf_secretsecret@hub.example", "no address of a Hub"),
        ("hub.example", "no address of a Hub"),
        ("http://127.0.0.1.evil.example", "plain http"),
        ("http://169.254.169.254", "plain http"),
        ("http://[::1", "no address of a Hub"),
        ("https://hub.example:99999", "no address of a Hub"),
        ("https://hub.example:x", "no address of a Hub"),
    ],
)
def test_T12_a_hub_must_be_reached_safely(url, said, monkeypatch, caplog):
    with pytest.raises(HubError, match=said) as error:
        Hub(url)
    assert "secret" not in str(error.value)
    monkeypatch.setenv("GANZOO_ALLOW_HTTP", "1")
    if said == "plain http":
        assert "not huggingface.co: your token" in (Hub(url), caplog.text)[1]


def test_T12_another_hub_is_pointed_out(caplog):
    Hub("https://mirror.example")
    assert (
        "the Hub is https://mirror.example, not huggingface.co: your token and your downloads go through it"
        in caplog.text
    )


def test_T15_archives_are_no_part_of_loading_and_a_zipped_bomb_is_thrown_away(hub_server, exported, stranger):
    files = {**exported, "model.zip": b"PK\3\4bomb", "weights.tar.gz": gzip.compress(bytes(10**6))}
    repository = hub_server.store.repository("eve/digits", files)
    ganzoo.load("hf://eve/digits", hub=stranger, device="cpu")
    assert hub_server.asked("zip|tar") == []
    bomb = gzip.compress(bytes(50 * 2**20))
    repository.commit({"config.json": exported["config.json"] + b" "})

    def zipped(headers):
        return {**headers, "Content-Encoding": "gzip", "Content-Length": str(len(bomb))}

    hub_server.fault("GET .*config.json", body_filter=lambda body: bomb, header_filter=zipped)
    with pytest.raises(HubError, match="wrong length"):
        ganzoo.load("hf://eve/digits", hub=stranger)
    assert sum(path.stat().st_size for path in stranger.folder.rglob("*") if path.is_file()) < 2**20


def test_T16_short_names_are_never_looked_for_on_the_hub(hub_server, stranger):
    hub_server.store.repository("eve/cgan-mnist2", {"config.json": b"{}"})
    with pytest.raises(UnknownNameError, match="a model on the Hub is hf://USER/NAME"):
        ganzoo.load("cgan-mnist2", hub=stranger)
    assert hub_server.requests == []


URIS = """
hf:// | hf:/// | hf://a | hf://a/b/c | hf://a/b@ | hf://a/b@main/../../x | hf://datasets/a/b | hf://spaces/a/b
HF://a/b
hf://a b/c | hf://%2e%2e/b | hf://a/%2e%2e | hf://a/b?x#y | hf://user:pw@host/a/b | hf:/a/b | hf:a/b | hf://a/b@-rf
hf://a/b@../x | hf://a/b@x..y | hf://a/b@refs/../x | hf://-rf/b | hf://../.. | hf://a/b@ main | hf://a/b@main\\x
http://169.254.169.254/ | https://huggingface.co/a/b | file:///etc/passwd | file: | file:/dev/zero
C:\\x | \\\\host\\x | ~
-rf | . | .. | / | a/b | a//b | cgan-mnist/ | ../cgan-mnist | CGAN-MNIST | cgan‑mnist | file:../../../../etc
"""


@pytest.mark.parametrize("name", [part.strip(" ") for line in URIS.strip().splitlines() for part in line.split(" | ")])
def test_T17_names_mean_one_thing_or_nothing(hub_server, stranger, name):
    with pytest.raises(GanzooError) as error:
        ganzoo.load(name, hub=stranger)
    assert error.value.exit_code == 2
    assert hub_server.requests == []


@pytest.mark.parametrize("name", ["", " ", "\0", "a\nb", "x" * 300, "x" * 5000, None, 7, b"cgan-mnist"])
def test_T17_what_is_no_name_is_refused(name):
    with pytest.raises(GanzooError):
        find(name)


@given(name=st.one_of(st.text(max_size=40), st.text("ab/@.%2F-_~ ", max_size=16)).map("hf://".__add__))
@settings(max_examples=200, deadline=500)
def test_T17_any_text_is_a_repository_or_an_error(name):
    try:
        found = find(name)
    except GanzooError:
        return
    assert REPOSITORY.fullmatch(found.id)
    assert found.revision is None or REVISION.fullmatch(found.revision)
    assert ".." not in str(found)


@pytest.mark.parametrize("revision", [None, "v1", "refs/pr/1", "fp16/x", "refs/convert/parquet"])
def test_T17_a_repository_is_spelled_as_it_is_read(revision):
    assert find(str(Repo("user/digits", revision))) == Repo("user/digits", revision)


@pytest.mark.parametrize("file", ["config.json", "model.safetensors"])
def test_T18_a_changed_cache_is_found_and_left_as_evidence(hub_server, published, stranger, file):
    loaded = ganzoo.load("hf://user/digits", hub=stranger, device="cpu")
    blob = loaded.files.paths[file]
    blob.chmod(0o644)
    content = blob.read_bytes()
    blob.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    for _ in range(2):
        with pytest.raises(ChecksumError, match=rf"{file} of hf://user/digits@.* remove it with `ganzoo cache prune"):
            ganzoo.load("hf://user/digits", hub=stranger, device="cpu")
        hub_server.close()
    assert blob.exists()


def test_T18_links_out_of_the_cache_are_not_followed(published, stranger, tmp_path):
    loaded = ganzoo.load("hf://user/digits", hub=stranger, device="cpu")
    (pointer,) = stranger.folder.rglob("snapshots/*/config.json")
    pointer.unlink()
    (tmp_path / "other.json").write_bytes(loaded.files.read("config.json"))
    pointer.symlink_to(tmp_path / "other.json")
    with pytest.raises(HubError, match="a link that leads out of it"):
        ganzoo.load("hf://user/digits", hub=stranger, device="cpu")


def test_T18_a_poisoned_ref_is_not_followed(hub_server, published, stranger):
    ganzoo.load("hf://user/digits", hub=stranger, device="cpu")
    (ref,) = stranger.folder.rglob("refs/main")
    ref.write_text("../../../somewhere")
    hub_server.close()
    with pytest.raises(HubError, match="holds nothing of it"):
        ganzoo.load("hf://user/digits", hub=stranger)


def test_T18_several_may_load_at_once(published, stranger):
    with ThreadPoolExecutor(4) as pool:
        loads = [pool.submit(ganzoo.load, "hf://user/digits", hub=stranger, device="cpu") for _ in range(4)]
        assert {load.result().name for load in loads} == {"gan-mnist"}
    assert cache.verify(stranger) == []


@pytest.mark.parametrize(
    "asked",
    [{"count": value} for value in (0, -1, True, 10**12, 1.0, "3", None)]
    + [{"seed": value} for value in (-1, True, 2**53, 0.5, "0")]
    + [{"batch_size": 0}, {"label": 3}, {"latents": torch.zeros(2, 4)}, {"colour": "red"}],
    ids=str,
)
def test_T19_requests_are_checked_at_the_door(trained, asked):
    with pytest.raises(ModelError):
        trained.model("cpu").sample(**{"count": 1, **asked})


def test_T19_the_largest_seed_works(trained):
    assert trained.model("cpu").sample(1, seed=2**53 - 1).shape == (1, 1, 28, 28)
