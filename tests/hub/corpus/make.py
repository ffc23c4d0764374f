"""Write the corpus of bad inputs beside this file: `python tests/hub/corpus/make.py`.

`config/` holds configs, `safetensors/` weights, each a small change to what a real training exported (`good/`). The
name of a file says what is wrong with it. What is too big to commit is made in the test that uses it.
"""

import json
import struct
from pathlib import Path

HERE = Path(__file__).parent
GOOD = json.loads((HERE / "good" / "config.json").read_text())
WEIGHTS = (HERE / "good" / "model.safetensors").read_bytes()


def put(kind, name, content):
    (HERE / kind).mkdir(exist_ok=True)
    (HERE / kind / name).write_bytes(content if isinstance(content, bytes) else content.encode())


def changed(**settings):
    """The good config with some of its architecture's settings changed."""
    config = json.loads(json.dumps(GOOD))
    config["recipe"]["architecture"].update(settings)
    return json.dumps(config)


def configs():
    text = json.dumps(GOOD)
    yield from {
        "empty": "",
        "bom": "\ufeff" + text,
        "utf-16": text.encode("utf-16"),
        "latin-1": text.replace("Y. LeCun", "Y. LéCun").encode("latin-1"),
        "lone-surrogate": text.replace("gan-mnist", "\\ud800", 1),
        "list": "[]",
        "null": "null",
        "string": '"x"',
        "number": "1e400",
        "truncated": text[: len(text) // 2],
        "trailing": text + "x",
        "duplicate-key": text.replace('"task"', '"task": "generate", "task"', 1),
        "nan": text.replace('"count": 8000', '"count": NaN'),
        "infinity": text.replace('"count": 8000', '"count": Infinity'),
        "overflow": text.replace('"count": 8000', '"count": 1e400'),
        "minus-zero": text.replace('"count": 8000', '"count": -0.0'),
        "long-integer": text.replace('"count": 8000', '"count": ' + "9" * 4400),
        "nested-lists": text.replace('"domains": []', '"domains": ' + "[" * 20_000 + "]" * 20_000),
        "nested-tables": '{"a":' * 10_000 + "1" + "}" * 10_000,
    }.items()
    architecture = {
        "2-to-the-63": {"width": 2**63},
        "boolean": {"width": True},
        "string-number": {"width": "64"},
        "float": {"width": 64.0},
        "zero": {"width": 0},
        "negative": {"depth": -1},
        "many-layers": {"depth": 10**9},
        "many-channels": {"channels": 2**31},
        "size-zero": {"size": 0},
        "size-three": {"size": 3},
        "size-huge": {"size": 2**20},
        "unknown-setting": {"surprise": 1},
        "class-key": {"__class__": "os.system"},
        "init-key": {"__init__": "os.system"},
        "target-key": {"_target_": "os.system"},
        "name-empty": {"name": ""},
        "name-dot": {"name": "."},
        "name-path": {"name": "../x"},
        "name-module": {"name": "os:system"},
        "name-newline": {"name": "mlp\n"},
        "name-nul": {"name": "mlp\0"},
        "name-full-width": {"name": "\uff2d\uff2c\uff30"},
        "name-cyrillic": {"name": "ml\u0440"},
        "name-long": {"name": "x" * 10_000},
        "name-list": {"name": ["mlp"]},
        "other-architecture": {"name": "dcgan"},
        "conditional-architecture": {"name": "conditional-mlp", "classes": 10},
        "version-newer": {"version": 2},
        "version-string": {"version": "1"},
        "version-negative": {"version": -1},
        "wider": {"width": 9},
        "widest": {"width": 8192, "depth": 16},
    }
    yield from ((name, changed(**settings)) for name, settings in architecture.items())
    for name, keys in {
        "auto-map": {"auto_map": {"AutoModel": "model.Evil"}},
        "model-file": {"model_file": "model.py"},
        "plugins": {"plugins": ["ganzoo-evil"]},
        "trust": {"trust_remote_code": True},
        "schema-newer": {"schema": 2},
        "schema-older": {"schema": 0},
        "schema-negative": {"schema": -1},
        "schema-string": {"schema": "1"},
        "schema-boolean": {"schema": True},
        "task-unknown": {"task": "hack"},
        "dtype-unknown": {"dtype": "float64"},
        "dtype-other": {"dtype": "float32"},
        "networks-empty": {"networks": []},
        "networks-other": {"networks": ["discriminator"]},
        "networks-twice": {"networks": ["generator", "generator"]},
        "networks-path": {"networks": ["../generator"]},
        "requires-table": {"requires": {"a": 1}},
        "weights-elsewhere": {"weights": {"sha256": "0" * 64, "size": 1}},
        "weights-path": {"weights": "../../x"},
        "recipe-list": {"recipe": []},
        "recipe-bare": {"recipe": {}},
        "spec-missing": {"spec": None},
        "spec-size": {"spec": {**GOOD["spec"], "size": 64}},
        "spec-labels": {"spec": {**GOOD["spec"], "labels": ["x"] * 5}},
        "data-list": {"recipe": {**GOOD["recipe"], "data": [1]}},
        "conditions-text": {"recipe": {**GOOD["recipe"], "data": {"conditions": "label"}}},
        "conditions-label": {"recipe": {**GOOD["recipe"], "data": {"conditions": ["label"]}}},
        "conditions-deep": {"recipe": {**GOOD["recipe"], "data": {"conditions": [[["label"]]]}}},
        "lineage-list": {"lineage": ["x"]},
        "training-elsewhere": {"training": {"sha256": "0" * 64, "size": 1, "networks": ["os"]}},
        "licence-table": {"licence": {}},
    }.items():
        yield name, json.dumps({**GOOD, **keys})
    for key in GOOD:
        yield f"without-{key}", json.dumps({k: v for k, v in GOOD.items() if k != key})


def weights():
    length = struct.unpack("<Q", WEIGHTS[:8])[0]
    header, data = json.loads(WEIGHTS[8 : 8 + length]), WEIGHTS[8 + length :]
    first = next(iter(header))

    def file(table, content=data):
        raw = table if isinstance(table, bytes) else json.dumps(table).encode()
        return struct.pack("<Q", len(raw)) + raw + content

    def one(**about):
        return file({**header, first: {**header[first], **about}})

    spare = {"dtype": "F16", "shape": [0], "data_offsets": [len(data), len(data)]}
    yield from {
        "empty": b"",
        "seven-bytes": WEIGHTS[:7],
        "header-only": WEIGHTS[: 8 + length],
        "header-length-zero": struct.pack("<Q", 0) + data,
        "header-length-2-to-the-63": struct.pack("<Q", 2**63) + WEIGHTS[8:],
        "header-length-beyond-the-file": struct.pack("<Q", len(WEIGHTS)) + WEIGHTS[8:],
        "header-space": struct.pack("<Q", length + 1) + b" " + WEIGHTS[8:],
        "header-list": file([]),
        "header-deep": file(b"[" * 50_000),
        "header-latin": file(
            json.dumps(header, ensure_ascii=False).encode().replace(b"generator", b"g\xe9n\xe9rateur")
        ),
        "twice": file(json.dumps(header)[:-1].encode() + b', "' + first.encode() + b'": {}}'),
        "short": WEIGHTS[:-1],
        "long": WEIGHTS + b"\0",
        "dtype-F64": one(dtype="F64"),
        "dtype-I8": one(dtype="I8"),
        "dtype-F8": one(dtype="F8_E4M3"),
        "dtype-number": one(dtype=16),
        "dtype-other": one(dtype="BF16"),
        "shape-transposed": one(shape=[*header[first]["shape"], 1]),
        "shape-negative": one(shape=[-8]),
        "shape-text": one(shape="8"),
        "shape-float": one(shape=[8.0]),
        "shape-boolean": one(shape=[True]),
        "shape-overflow": one(shape=[2**63]),
        "shape-huge": one(shape=[2**39]),
        "offsets-missing": file({**header, first: {k: v for k, v in header[first].items() if k != "data_offsets"}}),
        "offsets-overlap": one(data_offsets=[16, 32]),
        "offsets-reversed": one(data_offsets=[16, 0]),
        "offsets-text": one(data_offsets="ab"),
        "extra": file({**header, "generator.extra": spare}),
        "missing": file({k: v for k, v in header.items() if k != first}),
        "renamed": file({("discriminator" + k[9:]): v for k, v in header.items()}),
        "path-name": file({**header, "../../x": spare}),
        "nul-name": file({**header, "x\0y": spare}),
        "empty-name": file({**header, "": spare}),
        "zero-times-huge": file({**header, "generator.x": {**spare, "shape": [0, 2**60]}}),
        "metadata-number": file({"__metadata__": {"a": 1}, **header}),
        "metadata-list": file({"__metadata__": [], **header}),
        "nan": file(header, b"\xff\x7e" * (len(data) // 2)),
        "infinity": file(header, b"\x00\x7c" * (len(data) // 2)),
        "pickle": b"\x80\x04cos\nsystem\n(S'true'\ntR." + WEIGHTS,
        "zip": b"PK\x03\x04" + WEIGHTS,
        "html": b"<html>log in</html>",
    }.items()


if __name__ == "__main__":
    for name, content in configs():
        put("config", f"{name}.json", content)
    for name, content in weights():
        put("safetensors", f"{name}.safetensors", content)
