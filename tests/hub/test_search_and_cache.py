"""Finding what others published, and looking after what was downloaded."""

import json
import time

import pytest
import yaml

import ganzoo
from ganzoo.errors import ChecksumError, GanzooError, HubError, ModelError, UnreachableError
from ganzoo.hub import cache
from ganzoo.hub.client import Hub
from ganzoo.hub.search import search

CARD = """---
library_name: ganzoo
license: {licence}
datasets: [{data}]
pipeline_tag: {pipeline}
tags: [ganzoo, gan]
model-index:
- name: x
  results:
  - task: {{type: {pipeline}}}
    dataset: {{name: d, type: d}}
    metrics:
    - {{type: kid, name: kid, value: {value}, args: {{spread: 0.01}}}}
---
# A model
"""


def put(hub_server, name, licence="mit", data="ylecun/mnist", pipeline="unconditional-image-generation", value=0.25):
    card = CARD.format(licence=licence, data=data, pipeline=pipeline, value=value)
    return hub_server.store.repository(name, {"README.md": card.encode()})


def test_search_lists_ganzoo_models_with_their_metrics(hub_server, stranger):
    put(hub_server, "ann/cats")
    put(hub_server, "bob/cats-x4", data="bob/photos", pipeline="image-to-image", licence="cc-by-4.0", value=0.5)
    hub_server.store.repository("eve/other", {"README.md": b"---\nlibrary_name: diffusers\n---\n"})
    hub_server.store.repository("eve/secret", {"README.md": b"---\nlibrary_name: ganzoo\n---\n"}, private=True)
    found = {item.name: item for item in search(hub=stranger)}
    assert set(found) == {"hf://ann/cats", "hf://bob/cats-x4"}
    assert [str(number) for number in found["hf://ann/cats"].metrics] == ["kid 0.25 ± 0.01"]
    assert (found["hf://bob/cats-x4"].task, found["hf://bob/cats-x4"].datasets) == ("transform", ("bob/photos",))

    def names(*text, **filters):
        return [item.name for item in search(*text, hub=stranger, **filters)]

    assert names(task="transform") == ["hf://bob/cats-x4"]
    assert names(dataset="ylecun/mnist") == ["hf://ann/cats"]
    assert names(licence="CC-BY-4.0") == ["hf://bob/cats-x4"]
    assert names("ann") == ["hf://ann/cats"]
    assert names("dogs") == []
    with pytest.raises(GanzooError, match="there is no task 'draw'; there are generate and transform"):
        names(task="draw")


def test_search_goes_through_all_pages(hub_server, stranger):
    for number in range(8):
        put(hub_server, f"ann/model-{number}")
    assert len(search(hub=stranger)) == 8
    assert len(search(hub=stranger, limit=5)) == 5


def test_search_without_a_hub_says_so_at_once(hub_server, stranger):
    hub_server.close()
    began = time.monotonic()
    with pytest.raises(UnreachableError, match="can't be reached for its models"):
        search(hub=stranger)
    assert time.monotonic() - began < 2


def test_without_the_hub_by_choice_each_request_says_so(hub_server, folder, hub, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    for subject, request in (
        ("the list of models", lambda: search(hub=hub)),
        (
            "hf://user/digits",
            lambda: ganzoo.publish(folder, "user/digits", licence="cc-by-sa-4.0", gate=False, hub=hub),
        ),
    ):
        with pytest.raises(UnreachableError, match=f"^{subject} can't be had while HF_HUB_OFFLINE is set; unset it"):
            request()
    assert hub_server.requests == []


@pytest.mark.parametrize(
    "front",
    [
        "ignore_metadata_errors: true",
        "self: 1",
        "model-index: 7",
        "model-index: [{name: x, results: [{metrics: [{type: [1], value: .nan}]}]}]",
        "license: [a, {b: c}]",
        "datasets: 2020-01-01",
        "tags: [no, 012, 2020-01-01]",
        "pipeline_tag: [x]",
    ],
)
def test_one_strange_card_spoils_nobody_elses(hub_server, stranger, front):
    put(hub_server, "ann/cats")
    content = f"---\nlibrary_name: ganzoo\n{front}\n---\n".encode()
    hub_server.store.repository("eve/odd", {"README.md": content})
    found = {item.name: item for item in search(hub=stranger)}
    assert [str(number) for number in found["hf://ann/cats"].metrics] == ["kid 0.25 ± 0.01"]
    assert found["hf://eve/odd"].metrics == ()


def test_what_was_published_is_found_with_what_was_measured(hub_server, folder, hub, stranger):
    config = json.loads((folder / "config.json").read_text())
    metric = {"metric": "kid", "value": 0.125, "protocol": "by the book", "weights_sha256": config["weights"]["sha256"]}
    (folder / "config.json").write_text(json.dumps(config | {"metrics": [metric]}))
    ganzoo.publish(folder, "user/digits", gate=False, licence="cc-by-sa-4.0", hub=hub)
    (found,) = search(dataset="mnist-10k", licence="cc-by-sa-4.0", task="generate", hub=stranger)
    assert (found.name, str(found.metrics[0])) == ("hf://user/digits", "kid 0.125")
    assert found.datasets == ("mnist-10k",)  # which is no data set of the Hub's


@pytest.mark.parametrize(
    ("licence", "name"),
    [
        ("MIT-0", "mit-0"),
        ("0BSD", "0bsd"),
        ("Public Domain", "public-domain"),
        ("CC-BY-SA-2.0", "cc-by-sa-2.0"),
        ("GPL-3.0-or-later", "gpl-3.0-or-later"),
        ("CC-BY-SA-4.0", None),
    ],
)
def test_a_licence_that_the_hub_has_no_word_for_is_another_one_with_a_name(licence, name, folder, hub, stranger):
    options = {"gate": False, "data_licence": "CC0-1.0", "hub": hub}
    made = ganzoo.publish(folder, "user/digits", licence=licence, **options)
    front = yaml.safe_load(made.card.split("---\n")[1])
    assert front["license"] == ("other" if name else licence.lower())
    assert front.get("license_name") == name
    ganzoo.publish(folder, "user/others", licence="cc-by-1.0", **options)
    (found,) = search(licence=licence, hub=stranger)
    assert (found.name, found.licence) == ("hf://user/digits", name or licence.lower())


def test_pull_brings_everything_for_offline_use(hub_server, published, stranger, exported, tmp_path):
    files = cache.pull("hf://user/digits", tmp_path / "copy", stranger)
    assert {p.name: p.read_bytes() for p in (tmp_path / "copy").iterdir()} == exported
    assert set(files.paths) == set(exported)
    hub_server.close()
    assert ganzoo.load("hf://user/digits", hub=stranger, device="cpu").files.has("model.safetensors")
    assert ganzoo.load(f"file:{tmp_path / 'copy'}", device="cpu").name == "gan-mnist"
    with pytest.raises(ModelError, match="exists; choose another folder"):
        cache.pull("hf://user/digits", tmp_path / "copy", stranger)


@pytest.mark.parametrize("file", ["model.safetensors", "samples.png", "README.md"])
def test_pull_gives_nothing_on_that_was_changed_in_the_cache(published, stranger, tmp_path, file):
    path = cache.pull("hf://user/digits", hub=stranger).paths[file]
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(ChecksumError, match=f"{file} of hf://user/digits@.* was changed or damaged"):
        cache.pull("hf://user/digits", tmp_path / "copy", stranger)
    assert not (tmp_path / "copy").exists()


def test_pull_follows_no_link_of_a_folder(folder, tmp_path):
    (tmp_path / "mine").write_text("precious")
    (folder / "README.md").unlink()
    (folder / "README.md").symlink_to(tmp_path / "mine")
    cache.pull(f"file:{folder}", tmp_path / "copy")
    assert not (tmp_path / "copy" / "README.md").exists()


@pytest.mark.parametrize("out", ["file/copy", "x" * 300, "link"])
def test_pull_into_a_place_that_is_none_is_one_sentence(folder, tmp_path, out):
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    with pytest.raises(ModelError, match="can't be written|exists"):
        cache.pull(f"file:{folder}", tmp_path / out)


def test_a_loaded_model_saves_its_card_along(published, stranger, exported, tmp_path):
    ganzoo.load("hf://user/digits", hub=stranger, device="cpu").save(tmp_path / "copy")
    assert (tmp_path / "copy" / "model.safetensors").read_bytes() == exported["model.safetensors"]
    assert not (tmp_path / "copy" / "README.md").exists()  # load fetched the weights alone


def test_the_cache_lists_verifies_and_prunes(hub_server, published, stranger, exported):
    assert cache.models(stranger) == []
    ganzoo.load("hf://user/digits", hub=stranger, device="cpu")
    old = published.branches["main"]
    published.commit({"config.json": exported["config.json"] + b" "})
    ganzoo.load("hf://user/digits", hub=stranger, device="cpu")
    listed = {item.commit: item for item in cache.models(stranger)}
    assert listed[old].refs == ()
    assert listed[published.branches["main"]].refs == ("main",)
    assert cache.verify(stranger) == []
    removed, freed = cache.prune(hub=stranger)
    assert removed == [f"hf://user/digits@{old}"]
    assert freed > 0
    blob = next(path for path in listed[published.branches["main"]].files.values() if len(path.name) == 64)
    blob.write_bytes(b"changed")
    assert [line.split(" of ")[0] for line in cache.verify(stranger)] == ["model.safetensors"]
    with pytest.raises(GanzooError, match="holds nothing of hf://user/other"):
        cache.prune(["hf://user/other"], stranger)
    cache.prune(["hf://user/digits"], stranger)
    assert cache.models(stranger) == []
    assert ganzoo.load("hf://user/digits", hub=stranger, device="cpu").name == "gan-mnist"


def test_prune_takes_each_commit_that_is_named_and_no_other(hub_server, published, stranger, exported):
    commits = []
    for number in range(3):
        published.commit({"README.md": b"%d" % number})
        commits.append(ganzoo.load("hf://user/digits", hub=stranger, device="cpu").origin)
    with pytest.raises(GanzooError, match="holds nothing of hf://user/digits@v9"):
        cache.prune([commits[0], "hf://user/digits@v9"], stranger)
    assert cache.prune(commits[:2], stranger)[0] == commits[:2]
    assert [str(item) for item in cache.models(stranger)] == commits[2:]


def test_prune_leaves_a_copy_of_the_repository_alone(hub_server, published, stranger, exported):
    copies = [f"user/copy-{number}" for number in range(6)]
    for name in copies:  # with the same history, as a mirror has it
        copy = hub_server.store.repository(name, exported)
        copy.commits, copy.branches = published.commits, published.branches
        ganzoo.load(f"hf://{name}", hub=stranger, device="cpu")
    for name in copies[:-1]:
        cache.prune([f"hf://{name}"], stranger)
        assert name not in {item.repo for item in cache.models(stranger)}
    assert {item.repo for item in cache.models(stranger)} == {copies[-1]}


def test_what_can_not_be_removed_or_read_is_said(published, stranger, tmp_path, monkeypatch):
    name = ganzoo.load("hf://user/digits", hub=stranger, device="cpu").origin
    with monkeypatch.context() as patch:
        patch.setattr("huggingface_hub.utils._cache_manager._try_delete_path", lambda *_, **__: None)  # it only logs
        with pytest.raises(HubError, match=f"{name} can't be removed"):
            cache.prune([name], stranger)
    (tmp_path / "file").touch()
    with pytest.raises(HubError, match="can't be read"):
        cache.models(Hub("http://127.0.0.1:1", False, tmp_path / "file"))


def test_other_peoples_cached_models_are_left_alone(hub_server, stranger):
    from huggingface_hub import hf_hub_download

    hub_server.store.repository("eve/bert", {"config.json": b'{"model_type": "bert"}'})
    hf_hub_download("eve/bert", "config.json", endpoint=hub_server.url, cache_dir=stranger.folder)
    assert cache.models(stranger) == []
    assert cache.prune(hub=stranger) == ([], 0)
