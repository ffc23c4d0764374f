"""A card says what its config says, and nobody's words become markup."""

import ast
import re

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

import ganzoo
from ganzoo.card import escape, render
from ganzoo.files import from_json
from ganzoo.names import model_folder_of


@pytest.fixture
def config(conditional_run):
    return from_json((conditional_run.newest_export() / "config.json").read_text())


def code(card):
    return re.search(r"```python\n(.*?)\n```\n", card, re.S).group(1)


def test_a_card_is_rendered_from_its_config(config):
    front, body = render(config).removeprefix("---\n").split("---\n", 1)
    about = yaml.safe_load(front)
    assert about["library_name"] == "ganzoo"
    assert "conditional-dcgan" in about["tags"]
    assert 'ganzoo.load("file:FOLDER")' in code(body)  # the name alone is the digits that ship
    assert 'model.sample(16, label="0")' in code(body)
    assert "8 images in 2 steps" in body
    assert "CC-BY-SA-3.0" in body
    assert "LeCun" in body


def test_an_unconditional_card_asks_for_no_label(unconditional_run):
    card = (unconditional_run.newest_export() / "README.md").read_text()
    assert "model.sample(16)" in code(card)


@pytest.mark.parametrize(("name", "gan"), [("glyphs", True), ("srgan-photos-x4", True), ("vae-mnist", False)])
def test_what_had_no_discriminator_is_not_found_among_gans(name, gan):
    config = from_json((model_folder_of(name) / "config.json").read_text())
    assert ("gan" in yaml.safe_load(render(config).split("---\n")[1])["tags"]) == gan


@pytest.mark.parametrize(
    "label", ["a_b", 'say "hi"', "back\\slash", "new\nline\n```\n<script>", "\u202egnp.exe", "*", "é"]
)
def test_the_example_is_python_whatever_the_label(config, label):
    config["spec"]["labels"][0] = label
    call = ast.parse(code(render(config))).body[-1].value
    assert ast.literal_eval(call.keywords[0].value) == label
    assert "\u202e" not in render(config)


def test_a_persons_words_are_no_markup(config):
    config["summary"] = "<img src=x onerror=alert(1)> [click](http://x) `code` **bold**\n# heading\n---\nlicense: mit"
    config["spec"]["attribution"] = "<script>"
    card = render(config)
    assert "<img" not in card
    assert "<script" not in card
    assert "[click](" not in card
    assert "\n# heading" not in card
    assert "license" not in yaml.safe_load(card.split("---\n")[1])  # nobody chose one yet


@given(st.text())
def test_escaped_text_is_one_line_without_tags(text):
    line = escape(text)
    assert len(line.splitlines()) <= 1
    assert "<" not in line
    assert ">" not in line
    assert not re.search(r"(?<!\\)(?:\\\\)*[`*_\[\]#|$~{}]", line)


def test_only_a_model_that_ships_is_loaded_by_its_name(conditional_run, tmp_path):
    conditional_run.model(device="cpu").save(tmp_path / "mine")
    assert 'ganzoo.load("file:FOLDER")' in code((tmp_path / "mine" / "README.md").read_text())
    ganzoo.load("cgan-mnist", device="cpu").save(tmp_path / "theirs")
    assert 'ganzoo.load("cgan-mnist")' in code((tmp_path / "theirs" / "README.md").read_text())
