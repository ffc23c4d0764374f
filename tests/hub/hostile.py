"""What a hostile repository may hold."""

import json
import pickle

MARKER = "GANZOO_EVIL_RAN"
EVIL = f"import os; os.environ[{MARKER!r}] = '1'; raise RuntimeError('run by ganzoo')\n".encode()


def config_with(exported, **changes):
    return json.dumps({**json.loads(exported["config.json"]), **changes}).encode()


def with_architecture(exported, **settings):
    config = json.loads(exported["config.json"])
    config["recipe"]["architecture"].update(settings)
    return json.dumps(config).encode()


def evil_pickle():
    class Evil:
        def __reduce__(self):
            return exec, (EVIL,)

    return pickle.dumps(Evil())


AUTO = {
    "auto_map": {"AutoModel": "model.Evil"},
    "model_file": "model.py",
    "plugins": ["ganzoo-evil"],
    "trust_remote_code": True,
    "__class__": "os.system",
    "_target_": "os.system",
}


def header_of(content):
    length = int.from_bytes(content[:8], "little")
    return json.loads(content[8 : 8 + length]), content[8 + length :]


def safetensors(header, data):
    return safetensors_of(json.dumps(header), data)


def safetensors_of(header, data):
    """A safetensors file with this text as its header."""
    raw = header.encode()
    return len(raw).to_bytes(8, "little") + raw + data
