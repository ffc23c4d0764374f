"""One all-reduce for an update: gradients, metrics and float buffers in one flat tensor."""

import zlib
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ganzoo.engine.processes import Processes, disagreement

Gradients = dict[str, list[Tensor | None]]
Names = list[tuple[str, ...]]


def agree_on(processes: Processes, strategy: str, segment: int, names: Names | None, said: Sequence[str] = ()) -> None:
    """Every process has reached this segment of a step with the same updates; the first that hasn't is named."""
    _agree(processes, strategy, segment, names or [], said, 0)


def average(
    processes: Processes,
    strategy: str,
    segment: int,
    names: Names,
    parameters: dict[str, list[nn.Parameter]],
    gradients: Gradients,
    metrics: dict[str, Tensor],
    buffers: list[Tensor],
) -> None:
    """Means over the processes, in place. A gradient absent on some is zero there; absent on all it stays absent."""
    slots = [(name, i) for name, part in gradients.items() for i in range(len(part))]
    present = [gradients[name][i] is not None for name, i in slots]
    tensors = [g for name, i in slots if (g := gradients[name][i]) is not None]
    rest = [*metrics.values(), *buffers]
    flat = _flat(tensors, rest)  # before all agree: what can run out of memory is then behind this process
    if not _agree(processes, strategy, segment, names, list(metrics), zlib.crc32(bytes(present))):
        used = [any(p) for p in zip(*processes.gather(present), strict=True)]
        for (name, i), wanted in zip(slots, used, strict=True):
            if wanted and gradients[name][i] is None:
                gradients[name][i] = torch.zeros_like(parameters[name][i])
        present, tensors = used, [g for name, i in slots if (g := gradients[name][i]) is not None]
        flat = _flat(tensors, rest)
    processes.reduce(flat)
    means = [
        part.view_as(t).to(t.dtype)
        for part, t in zip(torch.split(flat, [t.numel() for t in (*tensors, *rest)]), (*tensors, *rest), strict=True)
    ]
    found = iter(means)
    for (name, i), there in zip(slots, present, strict=True):
        if there:
            gradients[name][i] = next(found)
    for key in metrics:
        metrics[key] = next(found)
    for buffer in buffers:  # through .data: batch norm's graph holds them, and doesn't mind their change
        buffer.data.copy_(next(found))


def _flat(tensors: list[Tensor], rest: list[Tensor]) -> Tensor:
    kind = tensors[0] if tensors else rest[0]
    return torch.cat([t.detach().reshape(-1).to(kind.dtype) for t in (*tensors, *rest)])


def _agree(processes: Processes, strategy: str, segment: int, names: Names, said: Sequence[str], present: int) -> bool:
    heard = processes.agree(zlib.crc32(repr((segment, names, list(said))).encode()), present)
    if any(row[0] != heard[0][0] for row in heard):
        everyone = processes.gather((names, list(said)))
        rank = next(r for r, one in enumerate(everyone) if one != everyone[0])
        (first, first_said), (other, other_said) = everyone[0], everyone[rank]
        a, b = (first, other) if first != other else (first_said, other_said)
        raise disagreement(
            f"strategy {strategy} updates {a or 'nothing more'} in process 0 and {b or 'nothing more'} in process "
            f"{rank} (segment {segment} of a step); its yields must not depend on a tensor's value"
        )
    return all(row[1] == heard[0][1] for row in heard)
