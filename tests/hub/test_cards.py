"""Cards: what they say of a model, and that a stranger's words in them stay words (T13, T14)."""

import json
import re

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

import ganzoo
from ganzoo import card
from ganzoo.text import plain, scrub, tokens_in
from tests.hub.conftest import SMALL


@pytest.fixture(scope="session")
def config(exported):
    return json.loads(exported["config.json"])


def front(text):
    return yaml.safe_load(text.split("---\n")[1])


def test_a_card_says_what_a_person_needs(config):
    text = card.render(config | {"licence": "cc-by-sa-4.0", "gate": "passed", "repository": "user/digits"})
    assert front(text) == {
        "library_name": "ganzoo",
        "license": "cc-by-sa-4.0",
        "pipeline_tag": "unconditional-image-generation",
        "tags": ["ganzoo", "gan", "mlp", "mnist-10k"],
    }
    assert 'model = ganzoo.load("hf://user/digits")\nimages = model.sample(16)' in text
    assert "![samples](samples.png)" in text
    assert "64 images in 2 steps" in text
    assert "Data: mnist-10k (train) (CC-BY-SA-3.0). The MNIST database" in text
    assert "torch-ganzoo&gt;=0.1.0" in text
    assert "It makes grey images of 28 x 28 pixels" in text
    assert "It passed the gate of its family" in text
    assert "Nothing was measured on these weights." in text
    assert "(Goodfellow et al., 2014)" in text


def test_the_training_command_gives_this_recipe(config):
    changes = {
        "training.images": 1000,
        "training.optimizer.lr": 0.001,
        "training.precision": "bf16",
        "architecture.width": 9,
        "architecture.depth": 3,
    }
    ours = ganzoo.recipe("gan-mnist").changed(changes)
    text = card.render(config | {"recipe": ours.tables()})
    command = re.search(r"`(ganzoo train .*)`", text)[1]
    assert command.split()[-2:] == ["--out", "RUN"]
    said = dict(part.split("=") for part in command.split() if "=" in part)
    assert said.pop("training.precision") == "bf16"
    changes = {key: json.loads(value) for key, value in said.items()} | {"training.precision": "bf16"}
    again = ganzoo.recipe(command.split()[2]).changed(changes)
    assert again.tables() == ours.tables()


def test_settings_within_settings_are_compared_with_their_defaults_filled_in():
    config = ganzoo.load("cut-noto-twemoji").config.tables()
    assert config["recipe"]["data"]["augment"] != ganzoo.recipe("cut-noto-twemoji").tables()["data"]["augment"]
    assert "`ganzoo train cut-noto-twemoji --set training." in card.render(config)


def test_where_no_command_gives_this_recipe_the_config_does(config):
    assert "ganzoo train gan-mnist" not in card.render(config)  # it averages nothing, which no --set can say


def test_a_recipe_that_is_not_registered_is_trained_from_the_config(config):
    recipe = {**config["recipe"], "name": "my-own"}
    assert 'ganzoo.train(json.load(open("config.json"))["recipe"], out="RUN")' in card.render(
        config | {"recipe": recipe}
    )
    assert ganzoo.recipe(recipe).name == "my-own"  # so those lines work


NASTY = [
    "---\nlicense: mit\n---",
    "{{7*7}} {% include 'x' %} ${x} {name}",
    "<script>alert(1)</script><img src=x onerror=y>",
    "![x](http://evil.example/pixel.png) [x](javascript:alert(1))",
    "a\nb\r\nc\x00\x1b[31m\u202eevil\u2066\u200b\ufeff\U000e0041\ud800",
    "`code` ```fence\n# heading\n> quote\n- list\n| table |",
    "# heading",
    "=====",
    "- item",
    "!!python/object/apply:os.system [x]",
    "&amp; &lt;script&gt;",
    "x" * 5000,
]


def nasty_config(config, words):
    config = json.loads(json.dumps(config))
    config["summary"] = words
    config["spec"] |= {"name": words, "licence": words, "attribution": words, "labels": [words, "b"]}
    config["recipe"]["data"]["conditions"] = ["label"]
    config["trained"]["machine"] = words
    config |= {"requires": [words], "repository": words}
    config["metrics"] = [
        {"metric": words, "value": 1.0, "spread": 0.5, "protocol": {words: words}, "weights_sha256": "0" * 64}
    ]
    config["lineage"] = [{"model": f"hf://a/b@{words}", "licence": words, "data": [{"name": words, "licence": words}]}]
    return config


def check_card(text, words):
    head, _, body = text.removeprefix("---\n").partition("---\n")
    parsed = yaml.safe_load(head)
    assert parsed["library_name"] == "ganzoo"
    known = {"library_name", "license", "license_name", "base_model", "datasets", "pipeline_tag", "tags", "model-index"}
    assert set(parsed) <= known
    code, fenced = [], False
    for line in body.split("\n"):
        if line.startswith("```"):
            fenced = not fenced
        elif fenced:
            code.append(line)
        else:
            assert not re.search(r"<[A-Za-z/!?]", line)
            assert not re.search(r"(?<!\\)\]\((?!samples\.png)", line)
            assert not line.startswith(("---", "===", ">"))
    assert not fenced
    if "7*7" in words:
        assert "49" not in text
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]", text)
    headings = [line for line in body.split("\n") if re.match("#+ ", line)]
    assert headings[1:] == [f"## {h}" for h in ("Use", "Measured", "Training", "Data and licences", "Limits",
                                                "Methods and citation")]  # fmt: skip
    compile("\n".join(code), "card", "exec")
    text.encode()


@pytest.mark.parametrize("words", NASTY, ids=range(len(NASTY)))
def test_T13_a_strangers_words_stay_words(config, words):
    check_card(card.render(nasty_config(config, words)), words)


@given(words=st.text(st.characters(exclude_categories=()), max_size=60))
@settings(max_examples=100, deadline=None)
def test_T13_any_words_stay_words(config, words):
    check_card(card.render(nasty_config(config, words)), words)


def test_T13_labels_in_the_example_are_the_labels(config):
    label = 'a"`b<\\é𢐀'
    text = card.render(nasty_config(config, label))
    source = re.search(r"sample\(16, label=(.*)\)\n", text)[1]
    assert eval(source, {"__builtins__": {}}) == label


def test_T13_templates_are_the_packages_own(config, folder, hub, hub_server):
    (folder / "README.md").write_text("{{ 7*7 }} {% for x in ().__class__.__base__.__subclasses__() %}{% endfor %}")
    made = ganzoo.publish(folder, "user/digits", gate=False, licence="cc-by-sa-4.0", hub=hub)
    assert "__class__" not in made.card
    assert "{{" not in made.card


def test_numbers_stand_with_what_makes_them_comparable(config):
    protocol = {"metric": "kid", "features": "digits-cnn", "features_sha256": "0" * 64, "count": 100, "seeds": [0, 1]}
    protocol |= {"crop": "none", "settings": {"version": 1}, "libraries": {"torch": "2"}}
    metric = {"metric": "kid", "value": 0.123456, "spread": 0.01, "protocol": protocol, "weights_sha256": "0" * 64}
    text = card.render(config | {"metrics": [metric]})
    assert "| kid | 0.1235 ± 0.01 | features: digits-cnn; count: 100; seeds: \\[0, 1\\] |" in text
    told = front(text)["model-index"][0]["results"][0]["metrics"][0]
    assert told["args"]["protocol"] == protocol


def test_plugins_add_sections_without_html(config):
    sections = {"More <b>": "See [the paper](https://example.org).\n\n<script>x</script>\u202e\n\n- a *list*"}
    text = card.render(config | {"card_sections": sections})
    assert "\n## More &lt;b&gt;\n\nSee [the paper](https://example.org)." in text
    assert "&lt;script&gt;" in text
    assert "*list*" in text
    assert "\u202e" not in text


def test_an_observers_sections_reach_the_card_and_a_broken_one_does_not_stop_it(tmp_path, caplog):
    from ganzoo import hookimpl
    from ganzoo.registry import registry

    class Says:
        @hookimpl
        def ganzoo_card_sections(self, run):
            return {"Seen by": f"{run.recipe.name} was watched."}

    class Breaks:
        @hookimpl
        def ganzoo_card_sections(self):
            raise RuntimeError("no words")

    says, breaks = Says(), Breaks()
    manager = registry().manager
    manager.register(says, "says")
    manager.register(breaks, "breaks")
    try:
        run = ganzoo.train(SMALL, out=tmp_path / "run", device="cpu")
    finally:
        manager.unregister(says)
        manager.unregister(breaks)
    assert "## Seen by\n\ngan-mnist was watched." in (run.newest_export() / "README.md").read_text()
    assert "plugin 'breaks' failed in ganzoo_card_sections: no words" in caplog.text


BOMB = b"---\na: &a [x,x,x,x,x,x,x,x,x]\n" + b"".join(
    f"{b}: &{b} [{','.join(['*' + a] * 9)}]\n".encode() for a, b in zip("abcdefgh", "bcdefghi", strict=True)
) + b"---\n"  # fmt: skip


@pytest.mark.parametrize("content", [BOMB, b"---\n" + b"[" * 3000, b"\xff\xfe", b"x" * 10**6, b"---\n- a\n---\n", b""])
def test_T14_no_card_decides_whether_a_model_loads(hub_server, exported, stranger, content):
    hub_server.store.repository("eve/digits").commit({**exported, "README.md": content})
    about = hub_server.store.repositories["eve/digits"]
    about.front_matter = lambda commit: {}  # the Hub wouldn't parse it either
    assert ganzoo.load("hf://eve/digits", hub=stranger, device="cpu").name == "gan-mnist"


def test_plain_and_scrub():
    assert plain("a\nb\x1b[31m\u202ec") == "a b [31m c"
    assert len(plain("x" * 10**6)) == 300
    token = "hf_" + "a1" * 17
    assert scrub(f"see {token}!") == "see ***!"
    assert tokens_in(token.encode()) == ["a Hugging Face token"]
    assert tokens_in(b"half_hf_short") == []


@pytest.mark.parametrize("kind", ["oauth", "jwt"])
def test_tokens_of_logins_by_browser_and_of_trusted_publishers_are_tokens(kind):
    token = f"hf_{kind}_eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiI2Ml8tIn0.c2ln-_bmF0"
    assert scrub(f"see {token} there") == "see *** there"
    assert tokens_in(token.encode()) == tokens_in(token.encode(), binary=True) == ["a Hugging Face token"]
    assert tokens_in(b"hf_hub_download(hf_oauth_token)") == []
