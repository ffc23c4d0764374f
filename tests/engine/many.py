"""Several real processes that talk over gloo, quick to start: a server that has imported torch forks them."""

import multiprocessing
import os
import pickle
import socket
import traceback

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["torch", "torch._dynamo", "pytest", "accelerate", "ganzoo.engine"])


def together(count, work, *arguments, timeout=100):
    """What `work(*arguments)` returns in each of `count` processes, by rank; an exception comes back as itself."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    started = []
    for rank in range(count):
        receive, send = _context.Pipe(duplex=False)
        process = _context.Process(target=_child, args=(send, rank, count, port, work, arguments), daemon=True)
        process.start()
        send.close()
        started.append((process, receive))
    results = []
    for _, receive in started:
        assert receive.poll(timeout), "a process hangs"
        results.append(pickle.loads(receive.recv_bytes()))
    for process, _ in started:
        process.join(10)
        process.kill()
    return results


def start(work, *arguments):
    """A process by itself that does this; the caller ends it."""
    process = _context.Process(target=_alone, args=(work, arguments), daemon=True)
    process.start()
    return process


def _alone(work, arguments):
    import torch

    torch.set_num_threads(1)
    work(*arguments)
    os._exit(0)


def _child(send, rank, count, port, work, arguments):
    import torch

    torch.set_num_threads(1)
    place = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": count, "LOCAL_WORLD_SIZE": count, "OMP_NUM_THREADS": 1}
    if count > 1:
        os.environ |= {k: str(v) for k, v in place.items()} | {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    try:
        result = work(*arguments)
        content = pickle.dumps(result)
    except BaseException as error:
        traceback.print_exc()
        content = pickle.dumps(Failed(type(error).__name__, str(error), getattr(error, "exit_code", None)))
    send.send_bytes(content)
    send.close()
    os._exit(0)  # what gloo does at an orderly end takes seconds


class Failed:
    """An exception of another process."""

    def __init__(self, kind, message, exit_code):
        self.kind, self.message, self.exit_code = kind, message, exit_code

    def __repr__(self):
        return f"{self.kind}: {self.message}"
