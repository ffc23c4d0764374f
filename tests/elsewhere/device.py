"""A device beside the host, without one: tensors that say they live "elsewhere" and refuse to meet those of the host.

A tensor of the device wraps one of the host, which does its work, so that what comes out can be compared with what the
CPU makes. As on a GPU a scalar of the host may meet it, a move has to be asked for, and numpy can't see it; as on
Apple's there is no float64. What it leaves out: kernels of its own, autocast, CUDA graphs. Import it before ganzoo.
"""

from typing import Any, ClassVar

import torch
from torch.utils import backend_registration
from torch.utils._mode_utils import no_dispatch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map

aten = torch.ops.aten
MOVES = aten._to_copy.default, aten.copy_.default


class Module(backend_registration._DummyBackendModule):
    """What torch asks of `torch.elsewhere`."""

    def get_amp_supported_dtype(self) -> list[torch.dtype]:
        return [torch.bfloat16]


backend_registration._setup_privateuseone_for_python_backend("elsewhere", Module())
DEVICE = torch.device("elsewhere:0")


def _no_grad(mode: Any = True) -> Any:
    """In place of `torch.inference_mode`, in which views of a wrapped tensor can't be written to."""
    return torch.set_grad_enabled(not mode) if isinstance(mode, bool) else torch.no_grad()(mode)


torch.inference_mode = _no_grad  # type: ignore[misc, assignment]


class There(torch.Tensor):
    """A tensor of the device; `here` is what it wraps."""

    here: torch.Tensor
    __torch_function__: ClassVar[Any] = torch._C._disabled_torch_function_impl

    @staticmethod
    def __new__(cls, here: torch.Tensor) -> "There":
        if here.dtype is torch.float64:
            raise TypeError("the device has no float64")
        made: There = torch.Tensor._make_wrapper_subclass(  # type: ignore[attr-defined]
            cls,
            here.shape,
            strides=here.stride(),
            storage_offset=here.storage_offset(),
            dtype=here.dtype,
            layout=here.layout,
            device=DEVICE,
        )
        made.here = here
        return made

    @classmethod
    def __torch_dispatch__(cls, op: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return done(op, args, kwargs or {})

    def __deepcopy__(self, memo: dict[int, Any]) -> "There":
        made = There(self.here.detach().clone()).requires_grad_(self.requires_grad)
        if getattr(self, "_is_param", False):
            made._is_param = True  # type: ignore[attr-defined]
        return made

    def __reduce_ex__(self, protocol: Any) -> Any:
        return self.here.__reduce_ex__(protocol)  # a file of it is read to the host (map_location="cpu")

    def tolist(self) -> Any:
        return self.here.tolist()


class Elsewhere(TorchDispatchMode):
    """While it is on, the device is there."""

    def __torch_dispatch__(self, op: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return done(op, args, kwargs or {})


def done(op: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """What an operation gives, on the device that its tensors or its `device` name."""
    if torch._C._dispatch_has_kernel_for_dispatch_key(op.name(), "CompositeImplicitAutograd"):
        with Elsewhere():
            return op.decompose(*args, **kwargs)
    wrappers: dict[int, There] = {}
    hosts: list[torch.Tensor] = []

    def unwrapped(value: Any) -> Any:
        if isinstance(value, There):
            wrappers[id(value.here)] = value
            return value.here
        if isinstance(value, torch.Tensor) and value.dim():
            hosts.append(value)
        return value

    raw, named = tree_map(unwrapped, (args, kwargs))
    if wrappers and hosts and op not in MOVES:
        raise RuntimeError(f"{op}: tensors of the device and of the host, {[tuple(h.shape) for h in hosts]}, meet")
    there = isinstance(args[0], There) if op is aten.copy_.default else bool(wrappers)
    if named.get("device") is not None:
        there = torch.device(named["device"]).type == DEVICE.type
        named["device"] = torch.device("cpu") if there else named["device"]
    out = op(*raw, **named)
    if wrappers and torch.Tag.inplace_view in op.tags:
        with no_dispatch():  # the wrapper takes the same shape
            return op(*args, **kwargs)

    def wrapped(value: Any) -> Any:
        if id(value) in wrappers:  # it was written in place
            return wrappers[id(value)]
        return There(value) if there and isinstance(value, torch.Tensor) else value

    return tree_map(wrapped, out)
