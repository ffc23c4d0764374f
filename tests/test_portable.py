"""Models as files for other programs: ONNX and torch.export, each the same as the model."""

import pytest
import torch

import ganzoo
from ganzoo import portable
from ganzoo.errors import GanzooError
from tests.support import ganzoo_command

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


def test_a_file_that_gives_other_images_is_not_written(model, tmp_path, monkeypatch):
    monkeypatch.setattr(portable, "run_torch", lambda content, inputs: torch.zeros(7, 1, 28, 28))
    with pytest.raises(GanzooError, match=r"gives other images \(by .*\); nothing was written"):
        portable.export(model, tmp_path / "digits.pt2", "torch-export")
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_exported_is_refused(model, tmp_path):
    with pytest.raises(GanzooError, match="there is no format 'pickle'; there are: onnx, torch-export"):
        portable.export(model, tmp_path / "x", "pickle")


def test_a_place_that_cannot_be_written_is_said(model, tmp_path):
    with pytest.raises(GanzooError, match="x.pt2' can't be written: No such file or directory"):
        portable.export(model, tmp_path / "nowhere" / "x.pt2", "torch-export")


def test_without_onnx_the_extra_is_named(model, tmp_path, monkeypatch):
    monkeypatch.setattr(portable, "missing_for_onnx", lambda: ["onnx"])
    with pytest.raises(GanzooError, match=r"needs onnx, which isn't installed; pip install 'torch-ganzoo\[onnx\]'"):
        portable.export(model, tmp_path / "x.onnx", "onnx")


def test_the_command_writes_and_compares(unconditional_run, tmp_path):
    out = tmp_path / "digits.pt2"
    command = ("export", f"file:{unconditional_run.folder}", "--format", "torch-export", "--out", out)
    done = ganzoo_command(*command)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"wrote {out}; by torch.export its images are the model's to ")
    loaded = torch.export.load(out).module()
    model = ganzoo.load(f"file:{unconditional_run.folder}", device="cpu")
    torch.testing.assert_close(loaded(model.latents(0, 0, 3)), model.sample(3, seed=0), atol=1e-5, rtol=0)
    done = ganzoo_command(*command)
    assert done.returncode == 2
    assert "exists; choose another name, or overwrite it with --force" in done.stderr
