"""`training.compile`: torch.compile of the networks whose gradient is never differentiated again, and the way back."""

import logging
from collections.abc import Callable, Iterator
from functools import partial
from types import FunctionType
from typing import Any

import torch
from torch import Tensor, nn

log = logging.getLogger("ganzoo")
TWICE = "double backward"  # of the error that says that a compiled network was differentiated twice after all


class Compiler:
    """Watches one step, compiles the networks that it may, and takes that back when a compiled step fails.

    In a backward pass gradients are recorded exactly when somebody asked for `create_graph`: a penalty of a gradient.
    No compiled network can be differentiated through that, so those it passes in the first step stay as they are.
    """

    def __init__(self, networks: dict[str, nn.Module], wanted: bool):
        self.networks = networks
        self.compiled: list[str] = []
        self._twice: set[str] = set()
        self._hooks = [net.register_forward_hook(partial(self._watch, n)) for n, net in networks.items() if wanted]

    def _watch(self, name: str, network: nn.Module, given: Any, made: Any) -> None:
        for tensor in _tensors(made):
            if tensor.requires_grad:
                tensor.register_hook(partial(self._passed, name))  # type: ignore[no-untyped-call]

    def _passed(self, name: str, gradient: Tensor) -> None:
        if torch.is_grad_enabled():
            self._twice.add(name)

    def stepped(self) -> None:
        """After a step: the first one was watched, and now is the time to compile."""
        if not self._hooks:
            return
        for hook in self._hooks:
            hook.remove()
        self._hooks = []
        self.compiled = [name for name in self.networks if name not in self._twice]
        if self._twice:
            log.info(
                "not compiled: %s; a gradient through them is differentiated again", ", ".join(sorted(self._twice))
            )
        import torch._dynamo
        import torch._functorch.config

        # one graph may serve two updates of a tuple, so that its buffers can't be given away
        torch._functorch.config.donated_buffer = False
        for name in self.compiled:
            self.networks[name]._compiled_call_impl = _compiled(self.networks[name])

    def gives_up(self, error: Exception) -> bool:
        """Whether a step failed because networks were compiled. They aren't any more then."""
        known = isinstance(error, torch._dynamo.exc.TorchDynamoException) if self.compiled else False
        if not self.compiled or not (known or TWICE in str(error)):
            return False
        for name in self.compiled:
            self.networks[name]._compiled_call_impl = None
        words = (str(error).strip() or type(error).__name__).splitlines()[0]
        log.warning("%s can't be compiled and go on without: %s", ", ".join(self.compiled), words)
        self.compiled = []
        return True


def _compiled(network: nn.Module) -> Any:
    """What a call of the network does, its hooks included, compiled for each size of batch, with torch's own noise.

    `Module.compile` would leave networks that are plain containers of torch as they are, and say nothing.
    """
    call: Callable[..., Any] = network._call_impl

    def called(*a: Any, **k: Any) -> Any:
        return call(*a, **k)

    # torch counts by its code what a function was compiled for, and ends at eight: each network has code of its own
    own = FunctionType(called.__code__.replace(), globals(), called.__name__, None, called.__closure__)
    return torch.compile(own, dynamic=False, options={"fallback_random": True})


def _tensors(made: Any) -> Iterator[Tensor]:
    if isinstance(made, Tensor):
        yield made
    elif isinstance(made, list | tuple):
        for part in made:
            yield from _tensors(part)
