"""Why autograd refuses a graph, in the words of the strategy contract."""

import re
from collections.abc import Mapping

from torch import nn


def refused(said: str, networks: Mapping[str, nn.Module], early: bool) -> str:
    """What a strategy did, by what autograd said; empty where that is something else.

    `early`: no weight has moved in this step, or a `.grad` was filled.
    """
    if "second time" in said and early:
        return (
            "the graph of the loss was used up before the yield, by backward() or grad() in step; "
            "leave the gradient of what is yielded to the engine (a penalty keeps the graph: create_graph=True)"
        )
    if buffer := _buffer(said, networks):
        return (
            f"the buffer {buffer} was changed in place while a graph used it, that of another micro-batch or from "
            "before a yield; step changes no buffer of a network: give forward what varies"
        )
    if "inplace operation" in said or "second time" in said:
        return (
            "the loss uses a graph from before an earlier yield, whose weights have moved since; "
            "compute it again after the yield, or yield both updates in one tuple"
        )
    return ""


def _buffer(said: str, networks: Mapping[str, nn.Module]) -> str:
    """The buffer that was changed, known by its shape and version; empty where that may be a weight."""
    found = re.search(r"Tensor \[([\d, ]*)\]\].* is at version (\d+)", said)
    if found is None:
        return ""
    alike = {
        f"{name}.{key}": tensor
        for name, network in networks.items()
        for key, tensor in (*network.named_parameters(), *network.named_buffers())
        if (", ".join(map(str, tensor.shape)), str(tensor._version)) == found.groups() and tensor.is_floating_point()
    }
    return "" if any(isinstance(tensor, nn.Parameter) for tensor in alike.values()) else ", ".join(alike)
