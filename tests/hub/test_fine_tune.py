"""Starting from what others published, and what the new card owes them."""

import json

import pytest
import torch
import yaml

import ganzoo
from ganzoo.errors import GanzooError, PublishError, RunError, UnreachableError
from tests.hub.conftest import SMALL


def train(hub, out, **changes):
    return ganzoo.train({**SMALL, "start_from": "hf://user/digits", **changes}, out=out, device="cpu", hub=hub)


@pytest.fixture
def base(hub_server, run, hub):
    """`user/digits` with its raw networks, as its author published it."""
    ganzoo.publish(run, "user/digits", gate=False, licence="cc-by-sa-4.0", training=True, hub=hub)
    return hub_server.store.repositories["user/digits"]


def weights(run, step):
    from ganzoo.engine.checkpoint import read

    saved = read(run.checkpoints / f"step-{step:08d}")
    return {name: saved.tensors(f"networks/{name}") for name in ("generator", "discriminator")}


def test_training_starts_from_both_raw_networks(base, run, stranger, tmp_path):
    tuned = train(stranger, tmp_path / "tuned")
    for name, tensors in weights(run, 2).items():
        for key, value in weights(tuned, 0)[name].items():
            assert torch.equal(value, tensors[key])


def test_without_raw_networks_the_generator_is_taken(published, stranger, tmp_path, run):
    tuned = train(stranger, tmp_path / "tuned")
    start, published_weights = weights(tuned, 0), run.model("cpu").network.state_dict()
    assert all(torch.equal(start["generator"][key], value) for key, value in published_weights.items())


@pytest.mark.parametrize("revision", ["", "@main", "@commit"])
def test_the_run_records_the_commit_and_resumes_without_the_hub(revision, hub_server, base, stranger, tmp_path):
    first = base.branches["main"]
    source = f"hf://user/digits{revision.replace('commit', first)}"
    tuned = train(stranger, tmp_path / "tuned", start_from=source)
    assert tuned.recipe.start_from == f"hf://user/digits@{first}"
    second = base.commit({"README.md": b"moved"}).oid
    longer = {**SMALL["training"], "images": 128}
    with pytest.raises(RunError, match=f"start_from was 'hf://user/digits@{first}' and is now .*@{second}"):
        train(stranger, tmp_path / "tuned", start_from=f"hf://user/digits@{second}")
    asked = len(hub_server.requests)
    resumed = train(stranger, tmp_path / "tuned", start_from=source, training=longer)
    assert len(hub_server.requests) == asked
    assert resumed.recipe.start_from == f"hf://user/digits@{first}"
    assert resumed.recipe.training.images == 128


def test_lineage_and_licences_go_into_the_new_card(base, stranger, hub, tmp_path):
    tuned = train(stranger, tmp_path / "tuned")
    options = {"gate": False, "hub": hub, "dry_run": True}
    with pytest.raises(PublishError, match="which asks for the same licence: --licence cc-by-sa-4.0"):
        ganzoo.publish(tuned, "user/tuned", licence="mit", **options)
    card = ganzoo.publish(tuned, "user/tuned", licence="cc-by-sa-4.0", **options).card
    assert yaml.safe_load(card.split("---\n")[1])["base_model"] == "user/digits"
    assert f"Fine-tuned from hf://user/digits@{base.branches['main']} (cc-by-sa-4.0)." in card
    assert card.count("The MNIST database of handwritten digits") == 2  # our data's credit, and the base's


def test_a_base_without_a_licence_can_not_be_passed_on(published, stranger, hub, tmp_path):
    tuned = train(stranger, tmp_path / "tuned")
    with pytest.raises(PublishError, match=r"the base model hf://user/digits@[0-9a-f]+ has no licence"):
        ganzoo.publish(tuned, "user/tuned", licence="cc-by-sa-4.0", gate=False, hub=hub, dry_run=True)


def test_a_run_of_ones_own_carries_its_data_alone(run, hub, tmp_path):
    tuned = ganzoo.train({**SMALL, "start_from": f"file:{run.folder}"}, out=tmp_path / "tuned", device="cpu")
    card = ganzoo.publish(tuned, "user/tuned", licence="cc-by-sa-4.0", gate=False, hub=hub, dry_run=True).card
    assert "Fine-tuned from gan-mnist (a run of the same author)." in card
    assert "base_model" not in card
    assert str(run.folder.parent) not in card


def test_a_model_folder_is_named_without_its_place(folder, hub, tmp_path):
    config = json.loads((folder / "config.json").read_text()) | {"licence": "cc-by-sa-4.0"}
    (folder / "config.json").write_text(json.dumps(config))
    tuned = ganzoo.train({**SMALL, "start_from": f"file:{folder}"}, out=tmp_path / "tuned", device="cpu")
    ganzoo.publish(tuned, "user/tuned", licence="cc-by-sa-4.0", gate=False, hub=hub)
    written = [(tuned.newest_export() / name).read_text() for name in ("README.md", "config.json")]
    assert "Fine-tuned from gan-mnist (cc-by-sa-4.0)." in written[0]
    assert [text for text in written if str(tmp_path) in text] == []


def test_another_shape_is_refused_and_nothing_is_left(base, stranger, tmp_path):
    with pytest.raises(GanzooError, match=r"fits only \d+% of"):
        train(stranger, tmp_path / "tuned", architecture={**SMALL["architecture"], "width": 9})
    assert not (tmp_path / "tuned" / "recipe.json").exists()


def test_no_base_no_run(hub_server, stranger, tmp_path):
    hub_server.close()
    with pytest.raises(UnreachableError):
        train(stranger, tmp_path / "tuned")
    assert not (tmp_path / "tuned").exists()


def test_training_weights_that_are_not_what_the_config_says_are_refused(base, stranger, tmp_path):
    files = base.commits[base.branches["main"]].files
    config = json.loads(files["config.json"])
    config["training"]["sha256"] = "0" * 64
    base.commit({"config.json": json.dumps(config).encode()})
    with pytest.raises(GanzooError, match="training.safetensors .* was changed or damaged"):
        train(stranger, tmp_path / "tuned")
