"""Models as files for other programs: ONNX and torch.export, each the same as the model."""

import json

import pytest
import torch
from torch import nn
from torch.nn.functional import avg_pool2d, interpolate

import ganzoo
from ganzoo import Model, Translator, portable
from ganzoo.errors import GanzooError
from ganzoo.folder import ModelConfig

needs_onnx = pytest.mark.skipif(
    bool(portable.missing_for_onnx()), reason="onnx, onnxscript, onnxruntime aren't installed"
)
FORMATS = [pytest.param("onnx", marks=needs_onnx), "torch-export"]


@pytest.mark.parametrize("format", FORMATS)
def test_the_file_gives_the_models_images_for_any_count(format, model, tmp_path):
    path = tmp_path / f"digits{portable.FORMATS[format]}"
    assert portable.export(model, path, format) <= portable.TOLERANCE
    assert [item.name for item in tmp_path.iterdir()] == [path.name]
    run = portable.run_onnx if format == "onnx" else portable.run_torch
    for count in (1, 3, 11):
        labels = torch.arange(count) % len(model.labels)
        made = run(path.read_bytes(), [model.latents(5, 0, count), labels])
        torch.testing.assert_close(made, model.sample(count, seed=5, label=labels), atol=1e-5, rtol=0)


@needs_onnx
def test_an_onnx_file_names_its_inputs(model, tmp_path):
    import onnx

    portable.export(model, tmp_path / "digits.onnx", "onnx")
    graph = onnx.load(tmp_path / "digits.onnx").graph
    assert [value.name for value in graph.input] == ["latents", "label"]
    assert [value.name for value in graph.output] == ["images"]


class Blurs(Translator):
    """Half the resolution and back, so that sides must be even; a label darkens."""

    multiple = 2

    def __init__(self):
        super().__init__()
        self.layer = nn.Conv2d(3, 3, 3, padding=1)

    def forward(self, images, *label):
        made = interpolate(avg_pool2d(self.layer(images), 2), scale_factor=2)
        return made - label[0].view(-1, 1, 1, 1) * 0.1 if label else made


def translator(networks=("generator",), labels=()):
    """A model that transforms, as training would give it."""
    spec = {"name": "none", "count": 1, "channels": 3, "licence": "CC0-1.0", "labels": list(labels)}
    recipe = {"architecture": {"name": "none"}, "data": {"conditions": ["label"] if labels else []}}
    about = {"schema": 1, "name": "blurs", "task": "transform", "dtype": "float32", "networks": list(networks)}
    torch.manual_seed(0)
    config = ModelConfig.read({**about, "spec": spec, "recipe": recipe})
    return Model(config, {name: Blurs() for name in networks}, (-1.0, 1.0))


@pytest.mark.parametrize("labels", [(), ("light", "dark")])
@pytest.mark.parametrize("format", FORMATS)
def test_a_translators_file_takes_pictures_of_any_count_and_size(format, labels, tmp_path):
    model = translator(labels=labels)
    path = tmp_path / f"blurs{portable.FORMATS[format]}"
    assert portable.export(model, path, format) <= portable.TOLERANCE
    run = portable.run_onnx if format == "onnx" else portable.run_torch
    for count, height, width in ((1, 16, 16), (2, 20, 38), (3, 64, 18)):
        given = [torch.rand(count, 3, height, width), *([torch.ones(count, dtype=torch.long)] if labels else [])]
        with torch.inference_mode():
            wanted = portable.portable(model)(*given)
        torch.testing.assert_close(run(path.read_bytes(), given), wanted, atol=1e-5, rtol=0)
        assert wanted.shape == (count, 3, height, width)


def test_of_several_networks_one_is_named(tmp_path):
    model = translator(("there", "back"))
    with pytest.raises(GanzooError, match="has several networks; name one of there, back with --network"):
        portable.export(model, tmp_path / "x.pt2", "torch-export")
    with pytest.raises(GanzooError, match="has no network 'up'; it has there, back"):
        portable.export(model, tmp_path / "x.pt2", "torch-export", "up")
    portable.export(model, tmp_path / "x.pt2", "torch-export", "back")
    given = [torch.rand(1, 3, 18, 18)]
    made = portable.run_torch((tmp_path / "x.pt2").read_bytes(), given)
    with torch.inference_mode():
        torch.testing.assert_close(made, portable.portable(model, "back")(*given))
        assert (made - portable.portable(model, "there")(*given)).abs().max() > 0.01


def test_a_network_that_an_exporter_can_not_take_is_one_sentence(model, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.export, "export", lambda *_, **__: 1 / 0)
    with pytest.raises(GanzooError, match=r"can't be written as torch-export \(division by zero\); try the other"):
        portable.export(model, tmp_path / "x.pt2", "torch-export")


def test_a_file_that_gives_other_images_is_not_written(model, tmp_path, monkeypatch):
    monkeypatch.setattr(portable, "run_torch", lambda content, inputs: torch.zeros(len(inputs[0]), 1, 28, 28))
    with pytest.raises(GanzooError, match=r"gives other images \(by .*\); nothing was written"):
        portable.export(model, tmp_path / "digits.pt2", "torch-export")
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_exported_is_refused(model, tmp_path):
    with pytest.raises(
        GanzooError, match=r"there is no format 'pickle'; there are: onnx \(.onnx\), torch-export \(.pt2\)"
    ):
        portable.export(model, tmp_path / "x", "pickle")


def test_a_place_that_cannot_be_written_is_said(model, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(GanzooError, match="x.pt2' can't be written: "):
        portable.export(model, tmp_path / "file" / "x.pt2")


@needs_onnx
def test_the_format_is_that_of_the_files_name(model, tmp_path):
    import onnx

    portable.export(model, tmp_path / "new folder" / "digits.pt2")
    made = portable.run_torch((tmp_path / "new folder" / "digits.pt2").read_bytes(), portable.portable(model).inputs(2))
    assert made.shape == (2, 1, 28, 28)
    portable.export(model, tmp_path / "digits.ONNX")
    onnx.load_model_from_string((tmp_path / "digits.ONNX").read_bytes())


@pytest.mark.parametrize(
    ("name", "format", "words"),
    [
        ("digits.pt2", "onnx", "is the name of a file in the format torch-export, not onnx"),
        ("digits.onnx", "torch-export", "is the name of a file in the format onnx, not torch-export"),
        ("digits.bin", None, "doesn't say its format by how its name ends; there are: onnx (.onnx), torch-export"),
    ],
)
def test_a_name_of_another_format_is_refused(name, format, words, refused, unconditional_run, tmp_path):
    asked = ("export", f"file:{unconditional_run.folder}", "--out", tmp_path / name)
    refused(*asked, *(["--format", format] if format else []), words=words)
    assert not list(tmp_path.iterdir())


def test_without_onnx_the_extra_is_named(model, tmp_path, monkeypatch):
    monkeypatch.setattr(portable, "missing_for_onnx", lambda: ["onnx"])
    with pytest.raises(GanzooError, match=r"needs onnx, which isn't installed; pip install 'torch-ganzoo\[onnx\]'"):
        portable.export(model, tmp_path / "x.onnx", "onnx")


def test_the_command_writes_and_compares(command, unconditional_run, tmp_path):
    out = tmp_path / "digits.pt2"
    asked = ("export", f"file:{unconditional_run.folder}", "--format", "torch-export", "--out", out)
    done = command(*asked)
    assert done.code == 0, done.err
    assert done.out.startswith(f"wrote {out}; by torch.export its images are the model's to ")
    loaded = torch.export.load(out).module()
    model = ganzoo.load(f"file:{unconditional_run.folder}", device="cpu")
    torch.testing.assert_close(loaded(model.latents(0, 0, 3)), model.sample(3, seed=0), atol=1e-5, rtol=0)
    done = command(*asked)
    assert done.code == 2
    assert "exists; choose another name, or overwrite it with --force" in done.err


@needs_onnx
def test_an_onnx_file_says_what_its_model_is(tmp_path):
    import onnxruntime

    portable.export(ganzoo.load("cgan-mnist", device="cpu"), tmp_path / "digits.onnx")
    about = onnxruntime.InferenceSession(tmp_path / "digits.onnx").get_modelmeta().custom_metadata_map
    assert (about["name"], about["task"], about["data"]) == ("cgan-mnist", "generate", "mnist-10k (train)")
    assert json.loads(about["labels"]) == list("0123456789")
    assert [json.loads(about[key]) for key in ("size", "channels", "image_range")] == [28, 1, [0, 1]]
    assert (about["licence"], about["data_licence"]) == ("cc-by-sa-4.0", "CC-BY-SA-3.0")
    assert "LeCun" in about["attribution"]
    assert "scale" not in about
    portable.export(translator(labels=("light", "d\u00e4rk")), tmp_path / "blurs.onnx")
    about = onnxruntime.InferenceSession(tmp_path / "blurs.onnx").get_modelmeta().custom_metadata_map
    assert json.loads(about["labels"]) == ["light", "därk"]
    assert "licence" not in about
