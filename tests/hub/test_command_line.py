"""The commands, as a person runs them against the loopback Hub."""

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from functools import partial

import pytest

from ganzoo.cli import main
from ganzoo.evaluation import gates


@dataclass
class Done:
    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def ganzoo(hub_server, tmp_path, monkeypatch, capsys):
    """Run a command in this process, with the Hub that the environment would have named at its start."""
    from huggingface_hub import constants

    token = hub_server.store.token("user")
    monkeypatch.setattr(constants, "ENDPOINT", hub_server.url)
    template = hub_server.url + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_TOKEN", token)
    monkeypatch.setenv("COLUMNS", "200")

    def command(*words):
        monkeypatch.setattr(sys, "argv", ["ganzoo", *map(str, words)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        out = capsys.readouterr()
        assert token not in out.out + out.err
        return Done(int(ended.value.code or 0), out.out, out.err)

    return command


def test_publish_search_pull_cache(ganzoo, hub_server, run, tmp_path):
    to = ("publish", run.folder, "user/digits", "--licence", "cc-by-sa-4.0")
    dry = ganzoo(*to, "--no-gate", "--dry-run")
    assert dry.returncode == 0, dry.stderr
    assert dry.stdout.startswith("---\nlibrary_name: ganzoo")
    assert "model.safetensors" in dry.stdout
    assert hub_server.store.repositories == {}
    made = ganzoo(*to, "--no-gate", "--tag", "v1")
    assert made.returncode == 0, made.stderr
    assert 'ganzoo.load("hf://user/digits@v1")' in made.stdout
    listed = json.loads(ganzoo("search", "digits", "--json").stdout)
    assert [(item["name"], item["licence"]) for item in listed] == [("hf://user/digits", "cc-by-sa-4.0")]
    assert "hf://user/digits" in ganzoo("search").stdout
    assert ganzoo("pull", "hf://user/digits@v1", "--out", tmp_path / "copy").returncode == 0
    assert (tmp_path / "copy" / "README.md").is_file()
    assert "hf://user/digits" in ganzoo("cache").stdout
    blob = next(path for path in (tmp_path / "cache").rglob("blobs/*") if len(path.name) == 64)
    blob.write_bytes(b"x")
    assert ganzoo("cache", "verify").returncode == 1


def test_what_publish_says_to_load_is_loaded(ganzoo, run, hub_server):
    to = ("publish", run.folder, "user/digits", "--licence", "cc-by-sa-4.0", "--no-gate", "--revision", "trial/x")
    said = re.search(r'ganzoo\.load\("(.*)"\)', ganzoo(*to).stdout)[1]
    assert ganzoo("pull", said).returncode == 0


def test_info_shows_a_model_of_the_hub_or_a_folder_and_nothing_that_a_terminal_obeys(
    ganzoo, published, exported, folder, hub_server
):
    config = json.loads(exported["config.json"]) | {"summary": "digits \x9b2J\u202e", "licence": "mit \u202e"}
    config["recipe"]["strategy"] = {"name": "a-strategy-nobody-has"}
    commit = published.commit({"config.json": json.dumps(config).encode()}).oid
    shown = ganzoo("info", "hf://user/digits")
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.startswith(f"gan-mnist (model of hf://user/digits@{commit}, mit)")
    assert "a-strategy-nobody-has" in shown.stdout
    assert not [asked for asked in map(str, hub_server.requests) if "model.safetensors" in asked]
    assert not {"\x9b", "\u202e"} & set(shown.stdout)
    (about,) = json.loads(ganzoo("info", "hf://user/digits", "--json").stdout)
    assert about["config"]["weights"] == config["weights"]
    (about,) = json.loads(ganzoo("info", f"file:{folder}", "--json").stdout)
    assert (about["kind"], about["name"]) == ("model", "gan-mnist")
    refused = ganzoo("info", "hf://user/nothing")
    assert (refused.returncode, "Traceback" in refused.stderr) == (3, False)


def test_of_several_models_one_that_fails_holds_nobody_up(ganzoo, published):
    done = ganzoo("pull", "hf://user/nothing", "hf://user/digits")
    assert done.returncode == 1
    assert "there is no hf://user/nothing" in done.stderr
    assert "hf://user/digits@" in done.stdout


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("publish", "nowhere", "user/digits"), 2, "there is no folder 'nowhere'"),
        (("pull", "hf://user/nothing"), 3, "there is no hf://user/nothing"),
        (("pull", "hf://user"), 2, "is no model on the Hub; write hf://USER/NAME"),
        (("cache", "burn"), 2, "there is no action 'burn'"),
    ],
)
def test_mistakes_are_one_sentence_and_an_exit_code(ganzoo, words, code, said):
    done = ganzoo(*words)
    assert (done.returncode, said in done.stderr) == (code, True), done.stderr


def test_a_model_that_fails_its_gate_exits_with_3_and_names_the_way_out(ganzoo, run, monkeypatch):
    monkeypatch.setattr(gates, "gate", partial(gates.gate, count=300))  # the real gate, on fewer samples
    done = ganzoo("publish", run.folder, "user/digits", "--licence", "cc-by-sa-4.0")
    assert done.returncode == 3
    assert "it failed its gate (coverage is" in done.stderr
    assert "--no-gate" in done.stderr


def test_the_environment_names_the_hub_the_token_and_the_cache(hub_server, published, tmp_path):
    token = hub_server.store.token("user")
    published.private = True
    environment = {**os.environ, "HF_ENDPOINT": hub_server.url, "HF_TOKEN": token, "HOME": str(tmp_path)}
    environment["HF_HUB_CACHE"] = str(tmp_path / "cache")
    command = [sys.executable, "-m", "ganzoo", "pull", "hf://user/digits"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "cache" / "models--user--digits" / "refs" / "main").is_file()
    assert token not in done.stdout + done.stderr
