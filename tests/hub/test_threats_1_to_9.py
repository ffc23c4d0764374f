"""The threat table of docs/publish.md, T1 to T9: what a stranger's repository can't do."""
# ruff: noqa: RUF001

import contextlib
import json
import os
import pickle
import sys
import threading
import time
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import ganzoo
from ganzoo import known
from ganzoo.errors import ChecksumError, GanzooError, ModelError
from ganzoo.hub import cache
from tests.hub.conftest import SMALL
from tests.hub.hostile import (
    AUTO,
    EVIL,
    MARKER,
    config_with,
    evil_pickle,
    header_of,
    safetensors,
    safetensors_of,
    with_architecture,
)

WATCHED = {"import", "exec", "compile", "subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork"}
SOCKETS = {"socket.connect", "socket.getaddrinfo", "socket.bind"}


class Watch:
    """What this thread did between `with` and its end, as the interpreter's audit events tell it."""

    def __init__(self):
        self.seen, self.thread = None, None
        sys.addaudithook(self._hook)

    def _hook(self, event, arguments):
        if self.seen is not None and threading.get_ident() == self.thread and event in WATCHED | SOCKETS:
            self.seen.append((event, arguments))

    def __enter__(self):
        self.seen, self.thread = [], threading.get_ident()
        return self

    def __exit__(self, *_):
        self.events, self.seen = self.seen, None


@pytest.fixture(scope="session")
def watch():
    return Watch()


@pytest.mark.parametrize("hostile", ["names", "os:system", "module:Class", "dunder"])
def test_T01_nothing_that_a_repository_names_is_run(hub_server, published, exported, stranger, watch, hostile):
    config = {
        "names": config_with(exported, **AUTO, requires=["ganzoo-evil>=1"]),
        "os:system": with_architecture(exported, name="os:system"),
        "module:Class": with_architecture(exported, name="model:Evil"),
        "dunder": with_architecture(exported, __init__="os:system"),
    }[hostile]
    for name in ("warm-up", "digits"):
        files = {**exported, "config.json": config, "model.py": EVIL, "setup.py": EVIL, "plugin.pt": evil_pickle()}
        hub_server.store.repository(f"eve/{name}", files)

    def load(name):
        try:
            return ganzoo.load(f"hf://eve/{name}", hub=stranger, device="cpu")
        except GanzooError as error:
            return error

    load("warm-up")  # ganzoo's own imports
    with watch:
        result = load("digits")
    assert isinstance(result, ganzoo.Model if hostile == "names" else ModelError)
    ran = [event for event in watch.events if event[0] in WATCHED]
    assert ran == []
    for _, arguments in (event for event in watch.events if event[0] in SOCKETS):
        assert str(hub_server.port) in str(arguments)
    assert MARKER not in os.environ
    fetched = {seen.path.rsplit("/", 1)[1] for seen in hub_server.asked("^GET /eve/")}
    assert fetched <= {"config.json", "model.safetensors"}


def test_T01_no_folder_of_the_corpus_runs_anything(folder, exported, watch):
    corpus = sorted((Path(__file__).parent / "corpus").glob("[cs]*/*"))
    assert len(corpus) > 100
    for watching in (contextlib.nullcontext(), watch):  # ganzoo's own imports are done in the first round
        with watching:
            for path in corpus:
                (folder / "config.json").write_bytes(exported["config.json"])
                (folder / "model.safetensors").write_bytes(exported["model.safetensors"])
                (folder / f"{'config' if path.suffix == '.json' else 'model'}{path.suffix}").write_bytes(
                    path.read_bytes()
                )
                with contextlib.suppress(GanzooError):
                    ganzoo.load(f"file:{folder}", device="cpu")
    assert watch.events == []


def test_T01_the_watch_sees_what_it_is_for(watch):
    with watch:
        exec("1")
    assert {"compile", "exec"} <= {event for event, _ in watch.events}


NAMES = st.one_of(
    st.text(min_size=1, max_size=80),
    st.sampled_from(
        ["https://evil.example/x.whl", "pip install evil", "ganzoo-evil", "evil @ git+https://e/x", "os:system"]
    ),
)


@given(name=NAMES, required=NAMES)
@settings(max_examples=60, deadline=2000, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_T02_an_unknown_architecture_never_advertises_a_package(folder, exported, name, required):
    config = json.loads(exported["config.json"])
    config["recipe"]["architecture"]["name"] = name
    config["requires"] = [required]
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError) as error:
        ganzoo.load(f"file:{folder}", device="cpu")
    said = str(error.value).replace(str(folder), "")
    assert "pip install" not in said
    assert "://" not in said


def test_T02_a_package_of_the_catalogue_may_be_named(folder, exported, monkeypatch):
    packages = {"ganzoo-wgan": {"architecture": ["wgan-resnet"]}}
    monkeypatch.setattr(known, "known_packages", lambda: packages)
    (folder / "config.json").write_bytes(with_architecture(exported, name="wgan-resnet"))
    with pytest.raises(ModelError, match="pip install --upgrade ganzoo-wgan"):
        ganzoo.load(f"file:{folder}", device="cpu")


def install(folder, distribution, code, point="evil"):
    """A distribution with an entry point, as pip would leave it."""
    module = distribution.replace("-", "_")
    (folder / f"{module}.py").write_text(code)
    about = folder / f"{module}-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\nLicense: MIT\n")
    (about / "entry_points.txt").write_text(f"[ganzoo]\n{point} = {module}\n")


HOOK = "from ganzoo import hookimpl\n@hookimpl\ndef ganzoo_architectures():\n    return {names}\n"


def test_T03_broken_duplicate_and_shadowing_plugins_hurt_nobody_else(tmp_path, monkeypatch):
    from ganzoo.errors import PluginError
    from ganzoo.registry import Registry

    mine = HOOK.format(names="{'mine': 'nowhere:X', 'mlp': 'nowhere:Fake'}")
    install(tmp_path, "ganzoo-broken", "raise SystemExit(1)\n", "broken")
    install(tmp_path, "ganzoo-one", mine, "one")
    install(tmp_path, "ganzoo-two", mine, "two")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.warns(UserWarning, match="plugin 'broken' of ganzoo-broken 1.0 is skipped: SystemExit"):
        found = Registry()
    assert found.get("architecture", "mlp").__module__ == "ganzoo_vanilla.architectures"  # ours can't be taken over
    with pytest.raises(PluginError, match="'mine' is contributed by ganzoo-one 1.0 and ganzoo-two 1.0"):
        found.get("architecture", "mine")
    shown = {plugin.distribution: plugin for plugin in found.plugins}
    assert shown["ganzoo-one"].path == str(tmp_path / "ganzoo_one.py")
    assert shown["ganzoo-broken"].error
    monkeypatch.setenv("GANZOO_PLUGINS", "one,vanilla")
    assert {plugin.name for plugin in Registry().plugins} == {"one", "vanilla"}
    monkeypatch.setenv("GANZOO_PLUGINS", "")
    assert Registry().plugins == []


def test_T04_the_pickle_is_as_evil_as_it_looks(monkeypatch):
    monkeypatch.setenv(MARKER, "")
    with pytest.raises(RuntimeError, match="run by ganzoo"):
        pickle.loads(evil_pickle())
    assert os.environ[MARKER] == "1"


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_T04_pickles_are_never_read(hub_server, exported, stranger, folder, run):
    from ganzoo.engine.checkpoint import newest

    for name in ("pytorch_model.bin", "model.pt", "model.ckpt", "weights.pkl", "model.pth"):
        files = {"config.json": exported["config.json"], name: evil_pickle()}
        hub_server.store.repository(f"eve/{name.replace('.', '-')}", files)
        with pytest.raises(ModelError, match=r"no model.safetensors; pickled weights are never read"):
            ganzoo.load(f"hf://eve/{name.replace('.', '-')}", hub=stranger)
    assert hub_server.asked("/resolve/") == []
    (folder / "model.safetensors").write_bytes(evil_pickle() + b" " * 100)
    with pytest.raises(ModelError, match="is no safetensors file|bytes"):
        ganzoo.load(f"file:{folder}", device="cpu")
    saved = newest(run.checkpoints)
    (saved.path / "optimizers" / "generator.pt").write_bytes(evil_pickle())
    with pytest.raises(pickle.UnpicklingError):
        saved.state("optimizers/generator")
    assert MARKER not in os.environ
    assert tuple(int(n) for n in torch.__version__.split("+")[0].split(".")[:2]) >= (2, 6)


ABSURD = [
    {"depth": 10**9},
    {"width": 2**31},
    {"size": 0},
    {"size": 2**20},
    {"width": "64"},
    {"width": 64.5},
    {"width": True},
    {"width": -1},
    {"width": 2**63},
    {"surprise": 1},
    {"name": "mlp\n"},
    {"name": "mlp\0"},
    {"name": "ＭＬＰ"},
    {"name": "mlр"},  # Cyrillic
    {"name": "x" * 10_000},
    {"name": "../mlp"},
    {"version": 2},
    {"version": "new"},
    {"version": -1},
]


@pytest.mark.parametrize("settings_", ABSURD, ids=str)
def test_T05_absurd_settings_are_refused_before_anything_is_built(folder, exported, settings_):
    (folder / "config.json").write_bytes(with_architecture(exported, **settings_))
    with pytest.raises(ModelError) as error:
        ganzoo.load(f"file:{folder}", device="cpu")
    assert len(str(error.value)) < 2000


@pytest.mark.parametrize("text", ['{"schema": 1, "schema": 1', '{"schema": NaN', '{"schema": ' + "9" * 5000])
def test_T05_json_that_means_two_things_is_refused(folder, exported, text):
    rest = exported["config.json"].decode().split('"schema": 1', 1)[1]
    (folder / "config.json").write_text(text + rest)
    with pytest.raises(ModelError, match="is no model's config"):
        ganzoo.load(f"file:{folder}", device="cpu")


def test_T05_a_config_is_256_kib_at_most_beside_the_names_of_its_classes(folder, exported):
    (folder / "config.json").write_bytes(config_with(exported, padding="x" * 256 * 1024))
    with pytest.raises(ModelError, match="larger than 262144 bytes without the names of its classes"):
        ganzoo.load(f"file:{folder}", device="cpu")


def bad_weights(exported):
    header, data = header_of(exported["model.safetensors"])
    key = "generator.layers.0.weight"
    spare = {"dtype": "F16", "shape": [0], "data_offsets": [len(data), len(data)]}
    return {
        "transposed": safetensors({**header, key: {**header[key], "shape": header[key]["shape"][::-1]}}, data),
        "missing": safetensors({k: v for k, v in header.items() if k != key}, data),
        "extra": safetensors({**header, "generator.extra": spare}, data),
        "dtype": safetensors({**header, key: {**header[key], "dtype": "BF16"}}, data),
        "F64": safetensors({**header, key: {**header[key], "dtype": "F64"}}, data),
        "a terabyte": safetensors({**header, key: {**header[key], "shape": [2**39, 1]}}, data),
        "zero times huge": safetensors({**header, "x": {**spare, "shape": [0, 2**60]}}, data),
        "many": safetensors({**header, **{f"n{i}": spare for i in range(10_001)}}, data),
        "long": exported["model.safetensors"] + b"\0",
        "short": exported["model.safetensors"][:-1],
        "empty": b"",
        "metadata": safetensors({"__metadata__": {"x": "y" * 2**20}, **header}, data),
        "huge header": (2**63).to_bytes(8, "little") + data,
        "escape": safetensors({"../../x": header[key]}, data),
        "not finite": safetensors(header, b"\xff\xff" * (len(data) // 2)),
        "overlap": safetensors({**header, key: {**header[key], "data_offsets": [0, 64]}}, data),
        "twice": safetensors_of(json.dumps(header)[:-1] + ", " + json.dumps({key: header[key]})[1:], data),
    }


BAD = "transposed,missing,extra,dtype,F64,a terabyte,zero times huge,many,long,short,empty,metadata,huge header,escape"


@pytest.mark.parametrize("what", [*BAD.split(","), "not finite", "overlap", "twice"])
def test_T06_weights_must_be_exactly_what_the_config_builds(folder, exported, what):
    config = json.loads(exported["config.json"])
    config.pop("weights")  # so that the hash doesn't find it first
    (folder / "config.json").write_text(json.dumps(config))
    ganzoo.load(f"file:{folder}", device="cpu")
    (folder / "model.safetensors").write_bytes(bad_weights(exported)[what])
    began = time.process_time()  # nothing is waited for, and others may be using this machine
    with pytest.raises(ModelError, match=r"model\.safetensors"):
        ganzoo.load(f"file:{folder}", device="cpu")
    assert time.process_time() - began < 2


def test_T07_one_commit_for_all_files_and_for_what_is_derived(hub_server, published, stranger, tmp_path):
    first = published.branches["main"]
    moved = {"config.json": b"{}", "model.safetensors": b"x"}
    hub_server.fault("GET .*config.json", after=lambda: published.commit(moved))
    recipe = {**SMALL, "start_from": "hf://user/digits"}
    tuned = ganzoo.train(recipe, out=tmp_path / "tuned", device="cpu", hub=stranger)
    assert tuned.recipe.start_from == f"hf://user/digits@{first}"
    assert tuned.lineage[0]["model"] == f"hf://user/digits@{first}"
    assert {seen.path.split("/")[4] for seen in hub_server.asked("/resolve/")} == {first}


def test_T08_a_flipped_bit_is_found_and_named(hub_server, published, stranger):
    hub_server.fault("GET /objects/", body_filter=lambda body: body[:-1] + bytes([body[-1] ^ 4]))
    with pytest.raises(ChecksumError, match=r"model.safetensors of hf://user/digits@.* should be \w{64} and is \w{64}"):
        ganzoo.load("hf://user/digits", hub=stranger)


def test_T09_file_names_never_come_from_a_repository(hub_server, exported, stranger, tmp_path):
    index = json.dumps({"weight_map": {"generator.x": "../../../x.safetensors"}}).encode()
    files = {
        **exported,
        "config.json": config_with(exported, weights_file="../../x", shards=["/etc/passwd"]),
        "model.safetensors.index.json": index,
        "../../evil.txt": b"x",
        "C:\\evil.txt": b"x",
        "Config.json": b"{}",
        "x" * 4096: b"x",
    }
    hub_server.store.repository("eve/digits", files)
    ganzoo.load("hf://eve/digits", hub=stranger, device="cpu")
    cache.pull("hf://eve/digits", tmp_path / "copy", stranger)
    assert {path.name for path in (tmp_path / "copy").iterdir()} == set(exported)
    assert [path for path in tmp_path.rglob("*") if "evil" in path.name] == []
