"""CUDA graphs without CUDA: the operations of a stretch of work, repeated at the same addresses without the host.

What a real capture would do wrong goes wrong here too: nothing runs while it records, a number that the host computed
stays what it was, a tensor that the host replaced is not seen, and a value can't be read.
"""

from unittest.mock import patch

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter, tree_map

from ganzoo.engine.capture import WatchHost, waits

# torch's own look for a GPU, by its name here
CHECK = next(name for name in dir(torch.optim.Optimizer) if name.endswith("_graph_capture_health_check"))
IN_PLACE_VIEW = torch.Tag.inplace_view


def _place(value):
    """A tensor's place in memory as it is seen now: `squeeze_` and the like change the tensor, not the place."""
    return value.detach() if isinstance(value, torch.Tensor) else value


class Recording(TorchDispatchMode):
    def __init__(self):
        super().__init__()
        self.operations, self.before, self.own = [], {}, set()

    def __torch_dispatch__(self, op, types, args=(), kwargs=None):
        if waits(op, args):
            raise RuntimeError("operation not permitted when stream is capturing")
        kwargs = kwargs or {}
        for tensor in self._written(op, args, kwargs):
            storage = tensor.untyped_storage()._cdata
            if storage not in self.own and id(tensor) not in self.before:
                self.before[id(tensor)] = tensor, tensor.clone()
        made = op(*args, **kwargs)
        views = any(r.alias_info is not None for r in op._schema.returns)
        outputs = [] if views else [t for t in tree_iter(made) if isinstance(t, torch.Tensor)]
        self.own |= {t.untyped_storage()._cdata for t in outputs}
        kinds = [a.alias_info is not None and a.alias_info.is_write for a in op._schema.arguments]
        if not op.__name__.startswith("empty") and not (views and not any(kinds)) and IN_PLACE_VIEW not in op.tags:
            self.operations.append((op, *tree_map(_place, (args, kwargs, outputs))))
        return made

    @staticmethod
    def _written(op, args, kwargs):
        for place, argument in enumerate(op._schema.arguments):
            if argument.alias_info is not None and argument.alias_info.is_write:
                value = args[place] if place < len(args) else kwargs.get(argument.name)
                yield from (t for t in tree_iter(value) if isinstance(t, torch.Tensor))
        if op is torch.ops.aten.native_batch_norm.default and args[5]:  # its schema keeps silent about them
            yield from (t for t in args[3:5] if t is not None)

    @torch.no_grad()
    def undo(self):
        for tensor, before in self.before.values():
            with torch.autograd._unsafe_preserve_version_counter(tensor):
                tensor.copy_(before)

    @torch.no_grad()
    def replay(self):
        for op, args, kwargs, outputs in self.operations:
            made = [t for t in tree_iter(op(*args, **kwargs)) if isinstance(t, torch.Tensor)]
            for old, new in zip(outputs, made, strict=bool(outputs)):
                old.copy_(new)


def refuse(optimizer):
    raise RuntimeError(f"capturing a step of {type(optimizer).__name__}, which is not capturable")


def record(work):
    recording, host = Recording(), []
    try:
        with patch.object(torch.optim.Optimizer, CHECK, refuse), WatchHost(host), recording:
            work()
        if host:
            raise RuntimeError(f"unpinned memory can't be copied while capturing: {host[0]}")
    finally:
        recording.undo()
    return recording.replay
