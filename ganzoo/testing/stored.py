"""The contract of a published network's storage: state, model folders, and files for other programs."""

import tempfile
from pathlib import Path

import torch

from ganzoo.model import Model
from ganzoo.resolve import architecture_of
from ganzoo.testing.contract import NotRun, Subject, check, need
from ganzoo.testing.makers import Maker, built, conditions, images_of, makers, model_of, portables, stir


@check("architecture")
def state(subject: Subject) -> None:
    """A network's state_dict holds all that its images depend on."""
    architecture, networks = built(subject)
    condition = conditions(architecture)
    for maker in makers(architecture, networks):
        stir(maker.network)
        if maker.trains_as_it_samples:
            maker.network(maker.given(), *condition)  # statistics move
        torch.manual_seed(5)
        twin = Maker(maker.name, architecture.build(maker.name), architecture)
        twin.network.load_state_dict(maker.network.state_dict())
        given = maker.given()
        maker.network.eval(), twin.network.eval()
        with torch.no_grad():
            same = torch.equal(maker.make(given, condition), twin.make(given, condition))
        said = "makes other images after a round trip of its state_dict; hold state in parameters or buffers"
        need(same, subject, said)


@check("architecture")
def model_folder(subject: Subject) -> None:
    """A model of it is written, read back and gives the same images, whatever the batch size."""
    model = model_of(subject)
    if architecture_of(model.config.architecture).channels_last:  # as it is read back, or sums are rounded otherwise
        for network in model.networks.values():
            network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    with tempfile.TemporaryDirectory() as place:
        model.save(Path(place) / "model")
        again = Model.read(Path(place) / "model", device="cpu")
    pairs = zip(images_of(model), images_of(again), strict=True)
    same = all(torch.equal(a, b) for a, b in pairs)
    need(same, subject, "gives other images after a model folder; see its buffers")
    for module in portables(model):
        given = module.inputs(4)
        with torch.inference_mode():
            whole, first = module(*given), module(*(part[:3] for part in given))
        apart = torch.allclose(whole[:3], first, atol=1e-5)
        need(apart, subject, "makes image i depend on the batch size; in eval() an image must be alone")


@check("architecture")
def torch_export(subject: Subject) -> None:
    """torch.export takes the published networks, for any number (and size) of images, and gives the same."""
    _parity(subject, onnx=False)


@check("architecture")
def onnx(subject: Subject) -> None:
    """ONNX takes the published networks, for any number (and size) of images, and onnxruntime gives the same."""
    from ganzoo.portable import missing_for_onnx

    if missing_for_onnx():
        raise NotRun(f"{', '.join(missing_for_onnx())} isn't installed; pip install 'torch-ganzoo[onnx]'")
    _parity(subject, onnx=True)


def _parity(subject: Subject, onnx: bool) -> None:
    from ganzoo import portable

    way = "onnx" if onnx else "torch.export"
    model = model_of(subject)
    if not all(getattr(network, "portable", True) for network in model.networks.values()):
        raise NotRun("it says portable = False")
    for module in portables(model):
        try:
            difference = portable.parity(module, portable.program_of(module, onnx=onnx), onnx=onnx)
        except Exception as error:
            words = str(error).strip().splitlines()[0][:200]
            said = f"can't be exported by {way} ({words}); no branch in forward may depend on a tensor's value"
            need(False, subject, said)
        need(
            difference < portable.TOLERANCE,
            subject,
            f"gives other images by {way}, by {difference:.2g}; see its forward",
        )
