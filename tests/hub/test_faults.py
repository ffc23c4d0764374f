"""Whatever goes wrong on the way ends in the documented result, leaves nothing half written, and can be tried again."""

import contextlib
import gzip
import time

import pytest

import ganzoo
from ganzoo.errors import ChecksumError, HubError, PublishError, UnreachableError
from ganzoo.hub import cache
from tests.hub.loopback_hub.store import blob_id

INFO, HEAD, FILE, WEIGHTS = "GET /api/models/user", "HEAD .*config.json", "GET .*config.json", "GET /objects/"
HTML = {"status": 200, "body": b"<html>log in</html>", "headers": {"Content-Type": "text/html"}}
ALWAYS = 1000


def flipped(body):
    return body[:-1] + bytes([body[-1] ^ 1])


def without(*names):
    return lambda headers: {key: value for key, value in headers.items() if key not in names}


def adding(**headers):
    return lambda old: {**old, **{key.replace("_", "-"): value for key, value in headers.items()}}


def file_error(code, message="no"):
    return {"X-Error-Code": code, "X-Error-Message": message}


# where, what goes wrong, what a person is told
LOADING = {
    "401": (INFO, {"status": 401}, HubError, "refused the token"),
    "403": (INFO, {"status": 403}, HubError, "no right to do this .* use one that may read it"),
    "disabled": (INFO, {"status": 403, "headers": file_error("", "Access to this resource is disabled.")}, HubError,
                 "hf://user/digits was disabled"),
    "404": (INFO, {"status": 404}, HubError, r"refused a request about hf://user/digits \(404\)"),
    "409": (INFO, {"status": 409}, HubError, "reports a conflict"),
    "429": (INFO, {"status": 429, "headers": {"Retry-After": "7"}}, HubError, "too many requests .* in 7 s"),
    "429 as huggingface.co says it": (INFO, {"status": 429, "headers": {"RateLimit": '"api";r=0;t=55'}}, HubError,
                                      "too many requests .* in 55 s"),
    "500": (INFO, {"status": 500}, HubError, r"failed \(500\) .* try again later"),
    "503": (INFO, {"status": 503}, HubError, r"failed \(503\) .* try again later"),
    "html": (INFO, HTML, HubError, "makes no sense"),
    "list": (INFO, {"status": 200, "body": b"[]"}, HubError, "makes no sense"),
    "no commit": (INFO, {"status": 200, "body": b'{"id": "user/digits", "sha": "../.."}'}, HubError, "gives no commit"),
    "cut": (INFO, {"drop": 0}, UnreachableError, "can't be reached"),
    "head 401": (HEAD, {"status": 401}, HubError, "refused the token"),
    "head 403": (HEAD, {"status": 403}, HubError, "no right to do this"),
    "head 404": (HEAD, {"status": 404, "headers": file_error("EntryNotFound")}, HubError, "lacks a file"),
    "head 500": (HEAD, {"status": 500, "times": ALWAYS}, HubError, r"failed \(500\)"),
    "no etag": (HEAD, {"header_filter": without("ETag")}, HubError, "no ETag, commit or size; don't trust it"),
    "no commit header": (HEAD, {"header_filter": without("X-Repo-Commit")}, HubError, "no ETag, commit or size"),
    "another commit": (HEAD, {"header_filter": adding(X_Repo_Commit="0" * 40)}, HubError, "commit that is none"),
    "to a file": (HEAD, {"status": 302, "headers": {"Location": "file:///etc/passwd"}}, HubError, "no ETag, commit"),
    "in a circle": (HEAD, {"status": 302, "headers": {"Location": "/user/digits"}}, HubError, "ETag|refused|sense"),
    "file 500": (FILE, {"status": 500}, HubError, r"failed \(500\)"),
    "file html": (FILE, HTML, HubError, "wrong length"),
    "file short": (FILE, {"body_filter": lambda body: body[:-9]}, HubError, "wrong length"),
    "file long": (FILE, {"body_filter": lambda body: body + b" " * 9}, HubError, "wrong length"),
    "file corrupt": (FILE, {"body_filter": flipped}, ChecksumError, "config.json .* arrived damaged"),
    "weights 500": (WEIGHTS, {"status": 500}, HubError, r"failed \(500\)"),
    "weights 503": (WEIGHTS, {"status": 503}, HubError, r"failed \(503\)"),
    "weights html": (WEIGHTS, HTML, HubError, "wrong length"),
    "weights corrupt": (WEIGHTS, {"body_filter": flipped}, ChecksumError, "model.safetensors .* should be .* and is"),
    "weights short": (WEIGHTS, {"body_filter": lambda body: body[:-9]}, HubError, "wrong length"),
    "weights promise more": (WEIGHTS, {"header_filter": adding(Content_Length="99999999"), "times": ALWAYS}, HubError,
                             "can't be reached|wrong length"),
    "weights cut for good": (WEIGHTS, {"drop": 9, "times": ALWAYS}, HubError, "can't be reached|wrong length"),
    "weights 416": (WEIGHTS, {"status": 416, "times": ALWAYS}, HubError, r"\(416\)"),
}  # fmt: skip


def nothing_half_written(hub):
    left = [path for path in hub.folder.rglob("*") if path.is_file() and "incomplete" in path.name]
    assert left == []
    assert cache.verify(hub) == []
    for blob in hub.folder.rglob("blobs/*"):
        assert len(blob.name) in (40, 64)


@pytest.mark.parametrize("fault", LOADING)
def test_loading(hub_server, published, stranger, fault, no_waiting, monkeypatch):
    where, how, error, said = LOADING[fault]
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DOWNLOAD_TIMEOUT", 0.3)
    made = hub_server.fault(where, **how)
    with pytest.raises(error, match=said) as raised:
        ganzoo.load("hf://user/digits", hub=stranger, device="cpu")
    assert raised.value.exit_code == 3
    assert made.met, "the fault was never reached"
    nothing_half_written(stranger)
    hub_server.faults.clear()
    assert ganzoo.load("hf://user/digits", hub=stranger, device="cpu").name == "gan-mnist"
    nothing_half_written(stranger)


def test_a_file_of_another_commit_that_a_hub_names_wrongly_is_kept(hub_server, published, stranger, exported):
    first = ganzoo.load("hf://user/digits", hub=stranger, device="cpu").origin
    published.commit({"config.json": exported["config.json"] + b"\n"})
    old = adding(ETag=f'"{blob_id(exported["config.json"])}"')
    hub_server.fault(HEAD, header_filter=old)
    with pytest.raises(ChecksumError, match=r"config.json .* arrived damaged"):
        ganzoo.load("hf://user/digits", hub=stranger, device="cpu")
    nothing_half_written(stranger)
    second = ganzoo.load("hf://user/digits", hub=stranger, device="cpu").origin
    hub_server.close()
    assert second != first
    for name in (first, second):
        assert ganzoo.load(name, hub=stranger, device="cpu").origin == name


def test_a_spoilt_file_of_another_commit_is_fetched_anew(hub_server, published, stranger, exported):
    first = ganzoo.load("hf://user/digits", hub=stranger, device="cpu").origin
    published.commit({"README.md": b"new"})
    (blob,) = stranger.folder.glob(f"models--*/blobs/{blob_id(exported['config.json'])}")
    blob.write_bytes(flipped(exported["config.json"]))
    with pytest.raises(ChecksumError, match=r"config.json .* arrived damaged"):
        ganzoo.load("hf://user/digits", hub=stranger, device="cpu")
    assert ganzoo.load("hf://user/digits", hub=stranger, device="cpu").origin != first
    assert ganzoo.load(first, hub=stranger, device="cpu").origin == first


def test_a_line_cut_in_mid_body_is_taken_up_again(hub_server, published, stranger, no_waiting):
    hub_server.fault(WEIGHTS, drop=5000)
    assert ganzoo.load("hf://user/digits", hub=stranger, device="cpu").name == "gan-mnist"
    assert len(hub_server.asked(WEIGHTS)) == 2


def test_a_zipped_transfer_is_undone_before_the_hash_decides(hub_server, published, stranger):
    hub_server.fault(WEIGHTS, body_filter=gzip.compress, header_filter=adding(Content_Encoding="gzip"))
    assert ganzoo.load("hf://user/digits", hub=stranger, device="cpu").name == "gan-mnist"


def test_retry_after_is_waited_for(hub_server, published, stranger, no_waiting):
    hub_server.fault(WEIGHTS, status=429, headers={"Retry-After": "4"})
    assert ganzoo.load("hf://user/digits", hub=stranger, device="cpu").name == "gan-mnist"
    assert 4 <= max(no_waiting) <= 6


def test_a_slow_hub_is_waited_for_and_a_silent_one_is_not(hub_server, published, stranger, monkeypatch):
    hub_server.fault(INFO, slow=0.3)
    assert ganzoo.load("hf://user/digits", hub=stranger, device="cpu").name == "gan-mnist"
    monkeypatch.setattr("ganzoo.hub.client.ANSWER", 0.2)
    hub_server.fault("GET /api/models/user/other", slow=1.5)
    began = time.monotonic()
    with pytest.raises(UnreachableError, match="can't be reached"):
        ganzoo.load("hf://user/other", hub=stranger)
    assert time.monotonic() - began < 1.2


@pytest.mark.parametrize("skip", [0, 1, 2])
@pytest.mark.parametrize("header", ["ETag", "X-Linked-Etag"])
def test_an_etag_that_climbs_out_of_the_cache_writes_nothing(hub_server, published, stranger, tmp_path, skip, header):
    """Whichever of the answers it is that lies: each is looked at, not the first one alone."""
    climbs = adding(**{header.replace("-", "_"): '"../../../../pwn"'})
    hub_server.fault("HEAD|GET .*/resolve/", header_filter=climbs, times=ALWAYS, skip=skip)
    with contextlib.suppress(HubError):  # after the last HEAD there is nothing to lie to
        ganzoo.load("hf://user/digits", hub=stranger, device="cpu")
    assert list(tmp_path.rglob("*pwn*")) == []
    assert all(len(blob.name) in (40, 64) for blob in stranger.folder.rglob("blobs/*"))


def test_an_etag_that_climbs_is_said(hub_server, published, stranger):
    hub_server.fault("HEAD .*config.json", header_filter=adding(ETag='"../../../../pwn"'), times=ALWAYS)
    with pytest.raises(HubError, match="gave config.json .* an ETag or commit that is none"):
        ganzoo.load("hf://user/digits", hub=stranger)


def test_a_branch_that_moves_between_the_files_gives_one_commit(hub_server, published, exported, stranger):
    first = published.branches["main"]
    hub_server.fault(FILE, after=lambda: published.commit({"config.json": b"{}", "model.safetensors": b"x"}))
    assert ganzoo.load("hf://user/digits", hub=stranger, device="cpu").origin == f"hf://user/digits@{first}"


def test_a_repository_made_private_between_the_files(hub_server, published, stranger):
    hub_server.fault(FILE, after=lambda: setattr(published, "private", True))
    with pytest.raises(HubError, match="there is no hf://user/digits@.*, or it is private"):
        ganzoo.load("hf://user/digits", hub=stranger)
    nothing_half_written(stranger)


def test_a_revision_that_is_deleted_between_the_files(hub_server, published, stranger):
    first = published.branches["main"]
    hub_server.fault(FILE, after=lambda: published.commits.pop(first))
    with pytest.raises(HubError, match="has no such revision"):
        ganzoo.load("hf://user/digits", hub=stranger)


def test_a_full_disk_is_said(hub_server, published, stranger, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("huggingface_hub.file_download._chmod_and_move", full)
    with pytest.raises(HubError, match="can't be written: No space left"):
        ganzoo.load("hf://user/digits", hub=stranger)
    nothing_half_written(stranger)


def test_an_interrupt_leaves_nothing(hub_server, published, stranger, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("huggingface_hub.file_download._chmod_and_move", interrupt)
        with pytest.raises(KeyboardInterrupt):
            ganzoo.load("hf://user/digits", hub=stranger)
    nothing_half_written(stranger)
    assert ganzoo.load("hf://user/digits", hub=stranger, device="cpu").name == "gan-mnist"


CREATE, PRE, COMMIT = "POST /api/repos/create", "POST .*/preupload/", "POST .*/commit/"
PUBLISHING = {
    "create 401": (CREATE, {"status": 401}, HubError, "refused the token"),
    "create 403": (CREATE, {"status": 403}, HubError, "no right to do this"),
    "create 500": (CREATE, {"status": 500, "times": ALWAYS}, HubError, r"failed \(500\)"),
    "card refused": (
        "POST /api/validate-yaml",
        {"status": 400, "body": b'{"errors": [{"message": "bad"}]}'},
        HubError,
        ".",
    ),
    "preupload 503": (PRE, {"status": 503, "times": ALWAYS}, HubError, r"failed \(503\)"),
    "preupload html": (PRE, HTML, HubError, "makes no sense"),
    "batch 500": ("POST .*/objects/batch", {"status": 500, "times": ALWAYS}, HubError, r"failed \(500\)"),
    "upload cut": ("PUT /objects/", {"drop": 0, "times": ALWAYS}, HubError, "."),
    "commit 401": (COMMIT, {"status": 401}, HubError, "refused the token"),
    "commit 403": (COMMIT, {"status": 403}, HubError, "no right to do this"),
    "commit 409": (COMMIT, {"status": 409}, HubError, "reports a conflict"),
    "commit 412": (COMMIT, {"status": 412}, PublishError, "got another commit while you published"),
    "commit 500": (COMMIT, {"status": 500, "times": ALWAYS}, HubError, r"failed \(500\)"),
}


@pytest.mark.parametrize("fault", PUBLISHING)
def test_publishing(hub_server, folder, hub, fault, no_waiting):
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    where, how, error, said = PUBLISHING[fault]
    made = hub_server.fault(where, **how)
    with pytest.raises(error, match=said) as raised:
        ganzoo.publish(folder, "user/digits", gate=False, licence="cc-by-sa-4.0", hub=hub)
    assert made.met, "the fault was never reached"
    assert hub.token not in str(raised.value)
    assert before == {path.name: path.read_bytes() for path in folder.iterdir()}
    for repository in hub_server.store.repositories.values():
        assert set(repository.commits[repository.branches["main"]].files) == {".gitattributes"}
    hub_server.faults.clear()
    assert ganzoo.publish(folder, "user/digits", gate=False, licence="cc-by-sa-4.0", hub=hub).changed
    assert len(hub_server.store.repositories["user/digits"].commits) == 2


@pytest.mark.parametrize("where", [COMMIT, "POST .*/tag/"])
def test_an_answer_that_is_lost_is_found_out(hub_server, folder, hub, where, no_waiting):
    lost = hub_server.fault(where, drop=0)
    made = ganzoo.publish(folder, "user/digits", gate=False, licence="cc-by-sa-4.0", tag="v1", hub=hub)
    repository = hub_server.store.repositories["user/digits"]
    assert lost.met
    assert len(repository.commits) == 2
    assert repository.branches["main"] == repository.tags["v1"] == made.commit


def test_a_repository_whose_making_was_not_confirmed_is_used_the_next_time(hub_server, folder, hub):
    hub_server.fault(CREATE, drop=0)
    options = {"gate": False, "licence": "cc-by-sa-4.0", "hub": hub}
    with pytest.raises(UnreachableError):
        ganzoo.publish(folder, "user/digits", **options)
    assert ganzoo.publish(folder, "user/digits", **options).changed


def test_a_pull_request_whose_answer_is_lost_says_where_to_look(hub_server, published, folder, hub, no_waiting):
    hub_server.fault(COMMIT, drop=0)
    with pytest.raises(HubError, match="look whether the pull request is there before you try again"):
        ganzoo.publish(folder, "user/digits", create_pr=True, gate=False, licence="cc-by-sa-4.0", hub=hub)


def test_a_rate_limited_commit_says_how_long_to_wait(hub_server, folder, hub):
    hub_server.fault(COMMIT, status=429, headers={"Retry-After": "3"})
    options = {"gate": False, "licence": "cc-by-sa-4.0", "hub": hub}
    with pytest.raises(HubError, match="try again in 3 s"):
        ganzoo.publish(folder, "user/digits", **options)
    assert ganzoo.publish(folder, "user/digits", **options).changed
    assert len(hub_server.store.repositories["user/digits"].commits) == 2


def test_a_tag_that_fails_says_what_did_land(hub_server, folder, hub):
    hub_server.fault("POST .*/tag/", status=403)
    options = {"gate": False, "licence": "cc-by-sa-4.0", "tag": "v1", "hub": hub}
    with pytest.raises(HubError, match="published as .* but the tag 'v1' isn't set .* run the same command again"):
        ganzoo.publish(folder, "user/digits", **options)
    made = ganzoo.publish(folder, "user/digits", **options)
    assert made.commit == hub_server.store.repositories["user/digits"].tags["v1"]
