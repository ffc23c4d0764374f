"""A model folder is read with suspicion."""

import json
import pickle
import struct

import pytest
import torch
from safetensors.torch import load_file, save_file

from ganzoo.errors import ModelError
from ganzoo.folder import MOST
from tests.support import edit, load


def refused(folder, words):
    with pytest.raises(ModelError, match=words) as caught:
        load(folder)
    assert "\n" not in str(caught.value)


def test_a_pickle_beside_the_weights_is_not_read(folder):
    class Bomb:
        def __reduce__(self):
            return pytest.fail, ("a pickle was read",)

    for name in ("model.bin", "model.pt", "model.ckpt", "pytorch_model.bin"):
        (folder / name).write_bytes(pickle.dumps(Bomb()))
    assert load(folder).sample(1, seed=0).shape == (1, 1, 28, 28)
    (folder / "model.safetensors").unlink()
    refused(folder, "no regular file .*model.safetensors")
    (folder / "model.safetensors").write_bytes(pickle.dumps(Bomb()))
    refused(folder, "header of|no safetensors file")


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_symlink_is_not_followed(folder, name):
    moved = folder.with_name("elsewhere")
    (folder / name).rename(moved)
    (folder / name).symlink_to(moved)
    refused(folder, f"no regular file .*{name}")


def test_a_linked_card_is_not_copied(folder, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("token")
    (folder / "README.md").unlink()
    (folder / "README.md").symlink_to(secret)
    load(folder).save(tmp_path / "copy")
    assert not (tmp_path / "copy" / "README.md").exists()


# the weights


def tensors(folder, change):
    named = load_file(folder / "model.safetensors")
    change(named)
    save_file(named, folder / "model.safetensors")


FIRST = "generator.project.weight"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t.pop(FIRST), r"'generator.project.weight' is absent and should be F16 \["),
        (lambda t: t.update(extra=torch.zeros(2)), r"'extra' is F32 \[2\] and should be absent"),
        (lambda t: t.update({FIRST: t[FIRST][:1].contiguous()}), "'generator.project.weight' is F16"),
        (lambda t: t.update({FIRST: t[FIRST].float()}), "'generator.project.weight' is F32 .* should be F16"),
        (lambda t: t.clear(), r"absent .*and \d+ more"),
    ],
    ids=["missing", "extra", "shape", "dtype", "empty"],
)
def test_weights_that_do_not_match_their_config_are_refused(folder, change, words):
    tensors(folder, change)
    refused(folder, words)


def header(folder, change):
    """Rewrite the header of the weights, the values left as they are."""
    content = (folder / "model.safetensors").read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    text = change(json.loads(content[8 : 8 + length]))
    text = text if isinstance(text, bytes) else json.dumps(text).encode()
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + content[8 + length :])


def with_first(**changes):
    return lambda table: table | {FIRST: table[FIRST] | changes}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda _: b"not json", "no safetensors file"),
        (lambda _: b"[]", "no safetensors file"),
        (lambda _: b"{" * 500_000, "no safetensors file: nested too deeply|no safetensors file"),
        (lambda _: b" " * 2_000_000, "a header of 2000000 bytes"),
        (lambda _: b'{"a": {}, "a": {}}', "a key stands there twice"),
        (lambda _: b'{"a": {"shape": [1e999], "dtype": "F16"}}', "no safetensors file"),
        (lambda _: {f"t{i}": {"shape": [], "dtype": "F16"} for i in range(10_001)}, "10001 tensors; at most 10000"),
        (with_first(shape=[2**40, 2**40]), "should be F16"),
        (with_first(dtype="F64"), "is F64"),
        (with_first(dtype="I32"), "is I32"),
        (with_first(data_offsets=[0, 2**50]), "changed or damaged"),
        (with_first(data_offsets=[5, 1]), "changed or damaged"),
    ],
)
def test_a_wrong_header_is_refused(folder, change, words):
    header(folder, change)
    refused(folder, words)


@pytest.mark.parametrize("keep", [0, 4, 100, -10])
def test_a_file_cut_short_is_refused(folder, keep):
    content = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(content[:keep])
    refused(folder, "no safetensors file|shorter than its header says|header of|can.t be read")


# the config


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "is no model's config"),
        ("[]", "is no model's config"),
        ("null", "is no model's config"),
        ('{"name": "a", "name": "b"}', "a key stands there twice"),
        ('{"name": NaN}', "NaN is no JSON number"),
        ('{"name": Infinity}', "Infinity is no JSON number"),
        ("[" * 100_000, "nested too deeply"),
        (" " * (MOST["config.json"] + 1), "is larger than 4194304 bytes"),
        (b"\xff\xfe", "is no model's config"),
        ("{}", "name: this setting is needed"),
    ],
)
def test_a_config_that_is_none_is_refused(folder, content, words):
    (folder / "config.json").write_bytes(content if isinstance(content, bytes) else content.encode())
    refused(folder, words)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"schema": 2}, "schema: "),
        ({"name": "../../etc"}, "name: "),
        ({"task": "mine bitcoin"}, "task: "),
        ({"dtype": "float64"}, "dtype: "),
        ({"networks": []}, "networks: "),
        ({"networks": ["discriminator"]}, "networks that its architecture doesn't publish"),
        ({"networks": ["../x"]}, "networks that its architecture doesn't publish"),
        ({"recipe": {}}, "recipe.architecture: this table is needed"),
        ({"recipe__architecture": "dcgan"}, "recipe.architecture: this table is needed"),
        ({"recipe__architecture": {"width": 3}}, "recipe.architecture.name: this setting is needed"),
        (
            {"recipe__architecture__name": "conditional-dcgna"},
            "there is no architecture 'conditional-dcgna' .* its config.json names its packages under `requires`$",
        ),
        ({"recipe__architecture__name": "os:system"}, "names architectures in a way that no plugin does"),
        ({"recipe__architecture__width": 10**9}, "architecture.width: .* not 1000000000"),
        ({"recipe__architecture__width": 8}, "doesn't fit its config"),
        ({"recipe__architecture__version": 99}, "version 99 .* upgrade the plugin"),
        ({"recipe__data": "label"}, "recipe.data.conditions: "),
        ({"recipe__data__conditions": 3}, "recipe.data.conditions: "),
        ({"recipe__data__conditions": [["label"]]}, "recipe.data.conditions: "),
        ({"recipe__data__conditions": []}, "contradicts itself: its conditions are"),
        ({"recipe__data__conditions": ["text"]}, "contradicts itself: its conditions are"),
        ({"spec__labels": []}, "contradicts itself: it is conditioned on labels and names none"),
        ({"spec__labels": list("0123456789ab")}, "contradicts itself: spec.classes is 12, .* 10"),
        ({"spec__size": 64}, "contradicts itself: spec.size is 64"),
        ({"spec__size": 10**9}, "spec.size: "),
        ({"spec__labels": [1, 2]}, "spec.labels.0: "),
        ({"spec__labels": [1] * 1_000_000}, "larger than 262144 bytes without the names of its classes"),
        ({"spec__labels": [""] * 100_001, "future": "x" * 2**18}, "without the names of its classes"),
        ({"recipe__data__labels": [[]] * 500_000}, "without the names of its classes"),
    ],
)
def test_a_config_that_lies_is_refused(folder, changes, words):
    edit(folder, **changes)
    refused(folder, words)


def test_what_loading_does_not_need_is_only_carried(folder):
    """A missing loss, strategy or dataset plugin stops nobody from sampling."""
    edit(
        folder,
        recipe__loss={"name": "not-installed", "deep": {"er": [1]}},
        recipe__strategy={"name": "not-installed"},
        recipe__training=None,
        recipe__data={"name": "not-installed", "conditions": ["label"]},
        future={"anything": [1, 2]},
    )
    model = load(folder)
    assert model.sample(2, seed=0).shape == (2, 1, 28, 28)
    model.save(folder.with_name("copy"))
    assert load(folder.with_name("copy")).config.tables()["future"] == {"anything": [1, 2]}


def test_a_folder_that_is_none_is_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    refused(tmp_path / "empty", "no regular file .*config.json")
    refused(tmp_path / "absent", "there is no folder")
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "config.json").mkdir()
    refused(tmp_path / "config", "no regular file")
