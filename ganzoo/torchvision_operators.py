"""Let torchvision from PyPI, which is linked against CUDA torch, be imported beside a CPU build of torch."""

import importlib
from typing import Any

import torch

_kept: list[Any] = []


def with_torchvision(module: str) -> Any:
    """Import a module that imports torchvision (timm, torchmetrics, lpips, torch_fidelity ...).

    Where torchvision's compiled operators are missing it dies of "operator torchvision::nms does not exist". Declaring
    the two schemas that it registers at import is enough for everything but detection.
    """
    try:
        importlib.import_module("torchvision")
    except ImportError:
        pass  # the module itself will say what it needs
    except RuntimeError as error:
        if "torchvision::nms" not in str(error):
            raise
        library: Any = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
        for name in ("nms", "qnms"):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _kept.append(library)  # the declarations live as long as it does
    return importlib.import_module(module)
