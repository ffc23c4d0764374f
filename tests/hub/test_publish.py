"""Publishing: one commit of an explicit list, refused when it would say what isn't so."""

import hashlib
import json

import pytest
import torch
import yaml

import ganzoo
from ganzoo.errors import ChecksumError, GateError, HubError, PublishError
from ganzoo.hub.client import Hub


def passes(folder):
    return []


def publish(source, repo="user/digits", **options):
    options = {"gate": passes, "licence": "cc-by-sa-4.0", **options}
    return ganzoo.publish(source, repo, **options)


def rewrite(folder, **changes):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **changes}))


def test_publish_then_load_gives_the_same_images(hub_server, run, hub, stranger):
    made = publish(run, hub=hub)
    assert made.changed
    repository = hub_server.store.repositories["user/digits"]
    assert made.commit == repository.branches["main"]
    assert len(repository.commits) == 2  # the Hub's own first one, and ours
    model = ganzoo.load(f"hf://user/digits@{made.commit}", hub=stranger, device="cpu")
    assert torch.equal(model.sample(2, seed=3), run.model("cpu").sample(2, seed=3))


def test_the_folder_on_disk_becomes_what_is_on_the_hub(hub_server, folder, hub):
    made = publish(folder, hub=hub)
    files = hub_server.store.repositories["user/digits"].commits[made.commit].files
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
        name: content for name, content in files.items() if name != ".gitattributes"
    }
    assert set(files) - {".gitattributes"} == {"README.md", "config.json", "model.safetensors", "samples.png"}


@pytest.mark.parametrize("name", ["config.json", "README.md"])
def test_it_becomes_so_through_no_link(folder, hub, tmp_path, name):
    (tmp_path / "mine").write_text("precious")
    (folder / f".{name}.new").symlink_to(tmp_path / "mine")
    publish(folder, hub=hub)
    assert (tmp_path / "mine").read_text() == "precious"
    assert not (folder / name).is_symlink()


def test_publishing_again_writes_nothing(hub_server, folder, hub):
    first = publish(folder, hub=hub)
    again = publish(folder, hub=hub)
    assert (again.changed, again.commit) == (False, first.commit)


def test_private_branches_tags_and_pull_requests(hub_server, folder, hub):
    publish(folder, private=True, revision="trial", tag="v1", hub=hub)
    repository = hub_server.store.repositories["user/digits"]
    assert repository.private
    assert "config.json" not in repository.commits[repository.branches["main"]].files
    assert repository.tags["v1"] == repository.branches["trial"]
    made = publish(folder, create_pr=True, hub=hub)
    assert made.pull_request.endswith("/user/digits/discussions/1")
    assert "config.json" not in repository.commits[repository.branches["main"]].files
    with pytest.raises(PublishError, match="has the tag 'v1' at .* already"):
        publish(folder, tag="v1", hub=hub)
    assert publish(folder, revision="trial", tag="v1", hub=hub).changed is False


def test_private_never_ends_up_public(published, folder, hub):
    with pytest.raises(PublishError, match="exists and is public"):
        publish(folder, private=True, hub=hub)


def test_a_pull_request_to_somebody_elses_repository(hub_server, published, folder, tmp_path):
    other = Hub(hub_server.url, hub_server.store.token("reader"), tmp_path)
    with pytest.raises(HubError, match="no right to do this"):
        publish(folder, hub=other)
    assert publish(folder, create_pr=True, hub=other).pull_request


def test_a_dry_run_shows_the_card_and_asks_nobody(hub_server, folder, hub):
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    made = publish(folder, dry_run=True, hub=hub)
    assert "license: cc-by-sa-4.0" in made.card
    assert set(made.files) == set(before)
    assert hub_server.requests == []
    assert before == {path.name: path.read_bytes() for path in folder.iterdir()}


def test_what_is_too_large_or_finds_no_room_is_said_before_anything_is_sent(folder, hub, hub_server, monkeypatch):
    copied = []

    def full(*_):
        copied.append(1)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ganzoo.hub.prepare.shutil.copyfileobj", full)
    with pytest.raises(PublishError, match="can't be copied to .*: No space left on device"):
        publish(folder, hub=hub)
    with (folder / "samples.png").open("r+b") as file:
        file.truncate(2**30)  # sparse: no disk is used
    with pytest.raises(PublishError, match="samples.png is 1073741824 bytes and at most"):
        publish(folder, hub=hub)
    assert (copied, hub_server.requests) == ([1], [])


def test_metrics_of_other_weights_are_refused(folder, hub):
    mine = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    metric = {"metric": "kid", "value": 0.5, "spread": 0.01, "protocol": {"count": 100}, "weights_sha256": "0" * 64}
    rewrite(folder, metrics=[metric])
    with pytest.raises(PublishError, match="metric 'kid' was not measured on these weights"):
        publish(folder, hub=hub)
    rewrite(folder, metrics=[metric | {"value": "good", "weights_sha256": mine}])
    with pytest.raises(PublishError, match="not as `ganzoo evaluate` writes it: metrics.value"):
        publish(folder, hub=hub)
    rewrite(folder, metrics=[metric | {"weights_sha256": mine}])
    front = yaml.safe_load(publish(folder, hub=hub).card.split("---\n")[1])
    assert front["model-index"][0]["results"][0]["metrics"][0] == {
        "type": "kid",
        "name": "kid",
        "value": 0.5,
        "args": {"spread": 0.01, "protocol": {"count": 100}},
    }


@pytest.mark.parametrize(
    ("licence", "said"),
    [
        (None, "it has no licence: name one with --licence"),
        ("my own", "is none that ganzoo knows"),
        ("apache-2.0", "CC-BY-SA-3.0|cc-by-sa-3.0, which asks for the same licence: --licence cc-by-sa-4.0"),
    ],
)
def test_missing_and_incompatible_licences_are_refused(folder, hub, hub_server, licence, said):
    with pytest.raises(PublishError, match=said):
        publish(folder, licence=licence, hub=hub)
    assert hub_server.requests == []


def test_data_of_unknown_licence_needs_a_word(folder, hub):
    config = json.loads((folder / "config.json").read_text())
    rewrite(folder, spec=config["spec"] | {"licence": "as found on a disk"})
    with pytest.raises(PublishError, match="'as found on a disk', which ganzoo doesn't know.*--data-licence"):
        publish(folder, licence="apache-2.0", hub=hub)
    assert "(mit)" in publish(folder, licence="apache-2.0", data_licence="mit", hub=hub).card


def test_a_model_that_fails_its_gate_is_refused_unless_the_card_says_so(folder, hub, hub_server):
    with pytest.raises(GateError, match=r"failed its gate \(label accuracy 0.1 < 0.9\).*--no-gate") as caught:
        publish(folder, gate=lambda found: ["label accuracy 0.1 < 0.9"], hub=hub)
    assert caught.value.exit_code == 3
    assert hub_server.requests == []
    assert "WITHOUT the gate" in publish(folder, gate=False, hub=hub).card
    assert "It passed the gate" in publish(folder, gate=passes, hub=hub).card


def test_weights_that_nobody_could_load_are_refused(folder, hub):
    content = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(ChecksumError, match=r"model.safetensors .* was changed or damaged"):
        publish(folder, hub=hub)


def test_places_of_this_computer_stay_here(folder, hub):
    config = json.loads((folder / "config.json").read_text())
    recipe = config["recipe"]
    recipe["data"]["path"] = "/home/somebody/pictures"
    recipe["start_from"] = "file:/home/somebody/runs/first"
    rewrite(folder, recipe=recipe)
    publish(folder, hub=hub)
    written = (folder / "config.json").read_text()
    assert "somebody" not in written
    assert json.loads(written)["recipe"]["data"]["path"] == "pictures"


@pytest.mark.parametrize(
    ("data", "left"),
    [
        ({"name": "image-folder", "path": "../alice/acme/photos"}, {"path": "photos"}),
        ({"name": "image-folder", "path": "alice/photos"}, {"path": "photos"}),
        ({"name": "photo-folder", "path": "alice/acme/photos/"}, {"path": "photos"}),
        ({"name": "of-somebody", "path": "alice/photos"}, {"path": "photos"}),
        ({"name": "of-somebody", "root": "../alice/photos"}, {"root": "photos"}),
        ({"name": "of-somebody", "root": "..\\alice\\photos"}, {"root": "photos"}),
        ({"name": "folder-pairs", "a": "alice/photos", "b": "../alice/drawings"}, {"a": "photos", "b": "drawings"}),
        ({"name": "folder-unpaired", "a": "alice/acme/a", "b": "b"}, {"a": "a", "b": "b"}),
        ({"name": "webdataset", "urls": "alice/acme/{000..099}.tar"}, {"urls": "{000..099}.tar"}),
        (
            {"name": "webdataset", "urls": "https://x.org/a/0.tar::alice/1.tar"},
            {"urls": "https://x.org/a/0.tar::1.tar"},
        ),
        ({"name": "webdataset", "urls": "file://alice/0.tar"}, {"urls": "0.tar"}),
        ({"name": "huggingface", "path": "user/name"}, {"path": "user/name"}),
        ({"name": "huggingface", "path": "user/name", "revision": "refs/pr/1"}, {"revision": "refs/pr/1"}),
        ({"name": "huggingface", "path": "../alice"}, {"path": "alice"}),
        ({"name": "huggingface", "path": "alice/acme/photos"}, {"path": "photos"}),
        ({"name": "huggingface", "path": "parquet", "files": ["alice/0.parquet"]}, {"files": ["0.parquet"]}),
        ({"name": "huggingface", "path": "imagefolder", "folder": "alice/photos"}, {"folder": "photos"}),
        ({"name": "mnist-10k", "licence": "MIT / Apache-2.0"}, {"licence": "MIT / Apache-2.0"}),
    ],
)
def test_relative_places_of_this_computer_stay_here_and_names_of_the_hub_go_out(folder, hub, data, left):
    recipe = json.loads((folder / "config.json").read_text())["recipe"]
    rewrite(folder, recipe={**recipe, "data": data})
    publish(folder, hub=hub)
    published = json.loads((folder / "config.json").read_text())["recipe"]["data"]
    assert {setting: published[setting] for setting in left} == left


@pytest.mark.parametrize("weights", ["weights=../alice/w.pth", 'weights="/home/alice/w.pth"', "weights=alice/w.pth"])
def test_files_within_spelled_names_are_places_too(folder, hub, tmp_path, monkeypatch, weights):
    (tmp_path / "alice").mkdir()
    (tmp_path / "alice" / "w.pth").touch()
    monkeypatch.chdir(tmp_path)
    recipe = json.loads((folder / "config.json").read_text())["recipe"]
    measure = {"metrics": ["coverage,k=3"], "every": 64, "features": f"timm,model=hf-hub:timm/resnet18,{weights}"}
    recipe["training"]["measure"] = measure
    mine = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    protocol = {"features": f"timm, model=resnet18, {weights}", "resize": "28x28, none"}
    rewrite(folder, recipe=recipe, metrics=[{"metric": "x", "value": 1, "protocol": protocol, "weights_sha256": mine}])
    publish(folder, hub=hub)
    found = json.loads((folder / "config.json").read_text())
    assert found["recipe"]["training"]["measure"]["features"] == "timm,model=hf-hub:timm/resnet18,weights=w.pth"
    assert found["recipe"]["training"]["measure"]["metrics"] == ["coverage,k=3"]
    assert found["metrics"][0]["protocol"] == {
        "features": "timm, model=resnet18, weights=w.pth",
        "resize": "28x28, none",
    }


def test_a_folder_that_exists_here_is_a_place_whatever_the_setting_is_called(folder, hub, tmp_path, monkeypatch):
    (tmp_path / "alice" / "photos").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    recipe = json.loads((folder / "config.json").read_text())["recipe"]
    rewrite(folder, recipe={**recipe, "data": {"name": "of-somebody", "root": "alice/photos"}})
    publish(folder, hub=hub)
    assert json.loads((folder / "config.json").read_text())["recipe"]["data"]["root"] == "photos"


def test_a_training_file_goes_along_and_an_old_one_goes_away(hub_server, run, folder, hub):
    publish(run, training=True, hub=hub)
    repository = hub_server.store.repositories["user/digits"]
    assert "training.safetensors" in repository.commits[repository.branches["main"]].files
    publish(folder, hub=hub)  # other weights, without one
    assert "training.safetensors" not in repository.commits[repository.branches["main"]].files


def test_what_else_people_keep_in_the_repository_stays(hub_server, published, folder, hub):
    published.commit({"LICENSE": b"terms"})
    made = publish(folder, hub=hub)
    assert published.commits[made.commit].files["LICENSE"] == b"terms"


def test_a_commit_in_between_stops_it_and_nothing_is_written(hub_server, published, folder, hub):
    hub_server.fault("POST .*/commit/main", before=lambda: published.commit({"notes.txt": b"mine"}))
    with pytest.raises(PublishError, match=r"got another commit while you published .* run the same command again"):
        publish(folder, hub=hub)
    assert published.commits[published.branches["main"]].title == "a commit"
    assert publish(folder, hub=hub).changed


@pytest.mark.parametrize(
    "repo", ["digits", "user/", "/digits", "user/../x", "user/a b", "-rf/x", "https://x/y", "u/n@v"]
)
def test_repositories_need_a_name(folder, hub, hub_server, repo):
    with pytest.raises(PublishError, match="is no name of a repository; a repository is USER/NAME"):
        publish(folder, repo, hub=hub)
    assert hub_server.requests == []


def test_without_a_token_it_says_how_to_log_in(folder, stranger):
    with pytest.raises(HubError, match="hf auth login"):
        publish(folder, hub=stranger)


def test_a_read_token_has_no_right(hub_server, folder, tmp_path):
    reader = Hub(hub_server.url, hub_server.store.token("user", "read"), tmp_path)
    with pytest.raises(HubError, match="no right to do this"):
        publish(folder, hub=reader)
