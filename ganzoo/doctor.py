"""What `ganzoo doctor` looks at: each finding says what is, and what to do where something is wrong."""

import os
import platform
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import ganzoo

SLOW = 1.0  # seconds for a plugin's own module, which should hold names alone
FREE = 2 * 2**30
QUICK = 0.8  # of float32's time; casts of weights and images take some of what is spared


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at; `note` is worth knowing, `wrong` stops something from working."""

    state: Literal["ok", "note", "wrong"]
    words: str


def examine() -> Iterator[Finding]:
    """Look at Python, torch, devices, torchvision, the Hub, caches, disk, export and plugins."""
    yield Finding("ok", f"ganzoo {ganzoo.__version__}, Python {platform.python_version()}, {platform.platform()}")
    yield from _torch()
    yield from _torchvision()
    yield from _hub()
    yield from _disk()
    yield from _onnx()
    yield from _plugins()


def _torch() -> Iterator[Finding]:
    try:
        import torch
    except Exception as error:
        yield Finding("wrong", f"torch can't be imported ({_line(error)}); pip install --force-reinstall torch")
        return
    build = f"for CUDA {torch.version.cuda}" if torch.version.cuda else "for the CPU"
    yield Finding("ok", f"torch {torch.__version__}, built {build}, {torch.get_num_threads()} threads")
    if torch.cuda.is_available():
        names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
        yield Finding("ok", f"GPUs: {', '.join(names)}")
    elif torch.version.cuda:
        yield Finding("note", "torch is built for CUDA and sees no GPU; look at nvidia-smi, the driver may be too old")
    elif shutil.which("nvidia-smi"):
        yield Finding("note", "there is an NVIDIA driver and torch is built for the CPU; install torch's CUDA build")
    else:
        yield Finding("ok", "no GPU; training runs on the CPU")
    if not torch.cuda.is_available():
        yield _bf16()


def _bf16() -> Finding:
    import torch

    from ganzoo.precision import over_float32

    cost = over_float32(torch.bfloat16)
    advice = "training.precision=bf16 is worth trying" if cost < QUICK else "train in fp32 on it"
    return Finding("ok", f"a convolution in bf16 takes {cost:.2g} of float32's time on this CPU; {advice}")


def _torchvision() -> Iterator[Finding]:
    if find_spec("torchvision") is None:
        return
    try:
        import torch
        import torchvision  # type: ignore[import-untyped]  # noqa: F401

        torch.ops.torchvision.nms  # noqa: B018  (the look-up is the check)
    except Exception as error:
        yield Finding(
            "note",
            f"torchvision doesn't fit this torch ({_line(error)}); install the two from one index, "
            "such as pip install torchvision --index-url https://download.pytorch.org/whl/cpu",
        )
    else:
        yield Finding("ok", "torchvision and its operators")


def _hub() -> Iterator[Finding]:
    import huggingface_hub
    from huggingface_hub import constants

    about = f"huggingface_hub {huggingface_hub.__version__}"
    if constants.is_offline_mode():
        yield Finding("note", f"{about}; HF_HUB_OFFLINE is set, so only cached models load; unset it to go online")
    else:
        try:
            huggingface_hub.HfApi().model_info("openai-community/gpt2", timeout=5, token=False)
            yield Finding("ok", f"{about}; the Hub answers")
        except Exception as error:
            yield Finding("note", f"{about}; the Hub doesn't answer ({_line(error)}); shipped models work without it")
    known = "a token is there" if huggingface_hub.get_token() else "no token; `hf auth login` before publishing"
    yield Finding("ok", known)
    yield from _writable("the cache of the Hub", Path(constants.HF_HUB_CACHE), "set HF_HOME to a folder of your own")


def _disk() -> Iterator[Finding]:
    from ganzoo.evaluation.cache import folder

    yield from _writable("the cache of features", folder(), "set GANZOO_CACHE to a folder of your own")
    yield from _writable("the current folder", Path.cwd(), "train into another with --out")
    yield from _writable("the temporary folder", Path(tempfile.gettempdir()), "set TMPDIR to another")


def _writable(what: str, folder: Path, otherwise: str) -> Iterator[Finding]:
    there = next(parent for parent in (folder, *folder.parents) if parent.exists())
    if not os.access(there, os.W_OK):
        yield Finding("wrong", f"{what}, {folder}, can't be written; {otherwise}")
        return
    free = shutil.disk_usage(there).free
    size = f"{free / 2**30:.1f} GiB free"
    if free < FREE:
        yield Finding("note", f"{what}, {folder}, has {size}, which checkpoints may fill; {otherwise}")
    else:
        yield Finding("ok", f"{what}, {folder}: {size}")


def _onnx() -> Iterator[Finding]:
    from ganzoo.portable import missing_for_onnx

    missing = missing_for_onnx()
    if missing:
        words = f"no {', '.join(missing)}; `ganzoo export` to ONNX needs pip install 'torch-ganzoo[onnx]'"
        yield Finding("note", words)
    else:
        yield Finding("ok", "onnx, onnxscript, onnxruntime")


def _plugins() -> Iterator[Finding]:
    from ganzoo.errors import GanzooError
    from ganzoo.registry import KINDS, registry

    for plugin in registry().plugins:
        if plugin.error:
            words = f"plugin {plugin.name!r} of {plugin} is skipped: {plugin.error}; upgrade or uninstall it"
            yield Finding("wrong", words)
            continue
        for refused in plugin.refused:
            yield Finding("note", f"plugin {plugin.name!r} of {plugin} may not have a name: {refused}")
        if plugin.seconds > SLOW:
            slow = f"plugin {plugin.name!r} of {plugin} takes {plugin.seconds:.1f} s to import; tell its author"
            yield Finding("note", slow)
        faults = []
        for kind, names in plugin.provides.items():
            for name in names if KINDS[kind][1] else ():
                try:
                    registry().get(kind, name)
                except GanzooError as error:
                    faults.append(str(error))
        yield from (Finding("wrong", f"{fault}; upgrade or uninstall it") for fault in faults)
        if not faults:
            yield Finding("ok", f"plugin {plugin.name!r} of {plugin}")


def _line(error: BaseException) -> str:
    words = (str(error).strip() or type(error).__name__).splitlines()[0]
    return words[:160]
