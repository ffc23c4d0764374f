"""The calls of the Hub's API that ganzoo's client makes, and what each answers."""

import base64
import json
import re

from tests.hub.loopback_hub.metadata import mistakes
from tests.hub.loopback_hub.store import LFS, Refused, blob_id, sha256

REPO = r"(?P<repo>[^/]+/[^/]+)"
ROUTES = []


def route(method, pattern):
    def register(function):
        ROUTES.append((method, re.compile(pattern + "$"), function.__name__))
        return function

    return register


class Routes:
    """A request's handler has `store`, `hub`, `user`, `role`, `query`, `parts` and `headers`."""

    @route("GET", "/api/whoami-v2")
    def whoami(self, body):
        if self.user is None:
            raise Refused(401, "Invalid username or password.")
        return {"type": "user", "name": self.user, "auth": {"accessToken": {"role": self.role}}}

    @route("POST", "/api/validate-yaml")
    def validate(self, body):
        errors = [{"message": said} for said in mistakes(json.loads(body)["content"])]
        said = json.dumps({"errors": errors, "warnings": []}).encode()
        return 400 if errors else 200, said, {"Content-Type": "application/json"}

    @route("POST", "/api/repos/create")
    def create(self, body):
        about = json.loads(body)
        if self.user is None or self.role != "write":
            raise Refused(401 if self.user is None else 403, "You don't have the rights to create a model")
        name = f"{about.get('organization') or self.user}/{about['name']}"
        if not name.startswith(f"{self.user}/"):
            raise Refused(403, "You don't have the rights to create a model under this namespace")
        if name in self.store.repositories:
            raise Refused(409, "You already created this model repo", url=f"{self.hub.url}/{name}")
        self.store.repository(name, private=about.get("visibility") == "private")
        return {"url": f"{self.hub.url}/{name}", "id": name, "name": name}

    @route("GET", f"/api/models/{REPO}")
    def info(self, repo, body):
        return self._info(self.store.readable(repo, self.user), "main")

    @route("GET", f"/api/models/{REPO}/revision/(?P<revision>[^/]+)")
    def info_at(self, repo, revision, body):
        return self._info(self.store.readable(repo, self.user), revision)

    @route("GET", "/api/models")
    def listing(self, body):
        found = []
        for repository in self.store.repositories.values():
            if repository.private and repository.owner != self.user:
                continue
            about = self._info(repository, "main")
            wanted = self.query.get("filter", []) + self.query.get("pipeline_tag", [])
            if "cardData" not in self.query:
                del about["cardData"]
            text = self.query.get("search", [""])[0].lower()
            if set(wanted) <= set(about["tags"]) and text in repository.id.lower():
                found.append(about)
        start, limit = (int(self.query.get(name, [value])[0]) for name, value in (("cursor", "0"), ("limit", "100")))
        limit = min(limit, 3)  # small pages, so that paging is exercised
        headers = {"Content-Type": "application/json"}
        if start + limit < len(found):
            rest = re.sub(r"&?cursor=\d+", "", self.parts.query)
            headers["Link"] = f'<{self.hub.url}/api/models?{rest}&cursor={start + limit}>; rel="next"'
        return 200, json.dumps(found[start : start + limit]).encode(), headers

    def _info(self, repository, revision):
        commit = repository.resolve(revision)
        front = repository.front_matter(commit)
        about = {"id": repository.id, "modelId": repository.id, "sha": commit.oid, "private": repository.private}
        about |= {"gated": "auto" if repository.gated else False, "downloads": 0, "likes": 0}
        about |= {"tags": repository.tags_of(front), "lastModified": "2026-01-01T00:00:00.000Z"}
        about |= {k: front[k] for k in ("pipeline_tag", "library_name") if isinstance(front.get(k), str)}
        about["cardData"] = json.loads(json.dumps(front, default=str))
        about["siblings"] = [self._sibling(name, data) for name, data in commit.files.items()]
        return about

    def _sibling(self, name, data):
        if not self.query.get("blobs"):
            return {"rfilename": name}
        entry = {"rfilename": name, "size": len(data), "blobId": blob_id(data)}
        if name.endswith(LFS):
            entry["lfs"] = {"sha256": sha256(data), "size": len(data), "pointerSize": 130}
        return entry

    @route("GET", f"/api/models/{REPO}/refs")
    def refs(self, repo, body):
        repository = self.store.readable(repo, self.user)
        return {
            kind: [
                {"name": n, "ref": n if kind == "pullRequests" else f"refs/{kind}/{n}", "targetCommit": oid}
                for n, oid in named.items()
            ]
            for kind, named in (
                ("branches", repository.branches),
                ("tags", repository.tags),
                ("converts", {}),
                ("pullRequests", repository.pulls),
            )
        }

    @route("POST", f"/api/models/{REPO}/branch/(?P<name>[^/]+)")
    def branch(self, repo, name, body):
        repository = self.store.writable(repo, self.user, self.role)
        if name in repository.branches:
            raise Refused(409, "this branch exists")
        start = json.loads(body or b"{}").get("startingPoint") or "main"
        repository.branches[name] = repository.resolve(start).oid
        return {}

    @route("POST", f"/api/models/{REPO}/tag/(?P<revision>[^/]+)")
    def tag(self, repo, revision, body):
        repository = self.store.writable(repo, self.user, self.role)
        name = json.loads(body)["tag"]
        if name in repository.tags:
            raise Refused(409, "this tag exists")
        repository.tags[name] = repository.resolve(revision).oid
        return {}

    @route("POST", f"/api/models/{REPO}/preupload/(?P<revision>[^/]+)")
    def preupload(self, repo, revision, body):
        pull = "create_pr" in self.query
        repository = self.store.readable(repo, self.user) if pull else self.store.writable(repo, self.user, self.role)
        files = repository.resolve(revision).files
        answers = []
        for item in json.loads(body)["files"]:
            large, old = item["path"].endswith(LFS), files.get(item["path"])
            answer = {"path": item["path"], "uploadMode": "lfs" if large else "regular", "shouldIgnore": False}
            if old is not None:
                answer["oid"] = sha256(old) if large else blob_id(old)
            answers.append(answer)
        return {"files": answers}

    @route("POST", f"/{REPO}.git/info/lfs/objects/batch")
    def batch(self, repo, body):
        self.store.readable(repo, self.user)
        objects = []
        for item in json.loads(body)["objects"]:
            answer = {"oid": item["oid"], "size": item["size"]}
            if item["oid"] not in self.store.objects:
                answer["actions"] = {"upload": {"href": f"{self.hub.content_url}/objects/{item['oid']}"}}
            objects.append(answer)
        return (
            200,
            json.dumps({"transfer": "basic", "objects": objects}).encode(),
            {"Content-Type": "application/vnd.git-lfs+json"},
        )

    @route("PUT", "/objects/(?P<oid>[0-9a-f]{64})")
    def put(self, oid, body):
        if sha256(body) != oid:
            raise Refused(400, "the content is not what its hash says")
        self.store.objects[oid] = body
        return {}

    @route("POST", f"/api/models/{REPO}/commit/(?P<revision>[^/]+)")
    def commit(self, repo, revision, body):
        pull = "create_pr" in self.query
        repository = self.store.readable(repo, self.user) if pull else self.store.writable(repo, self.user, self.role)
        if self.user is None:
            raise Refused(401, "Invalid username or password.")
        header, files, deleted = {}, {}, []
        for line in body.splitlines():
            item = json.loads(line)
            value = item["value"]
            if item["key"] == "header":
                header = value
            elif item["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif item["key"] == "lfsFile":
                if value["oid"] not in self.store.objects:
                    raise Refused(400, f"{value['path']} was not uploaded")
                files[value["path"]] = self.store.objects[value["oid"]]
            elif item["key"] == "deletedFile":
                deleted.append(value["path"])
        made = repository.commit(files, header["summary"], revision, header.get("parentCommit"), pull, deleted)
        number = len(repository.pulls)
        return {
            "commitOid": made.oid,
            "commitUrl": f"{self.hub.url}/{repo}/commit/{made.oid}",
            "pullRequestUrl": f"{self.hub.url}/{repo}/discussions/{number}" if pull else None,
        }

    @route("GET", f"/{REPO}/resolve/(?P<revision>[^/]+)/(?P<path>.+)")
    def resolve(self, repo, revision, path, body):
        repository = self.store.open(repo, self.user)
        commit = repository.resolve(revision)
        content = commit.files.get(path)
        if content is None:
            missing = {"X-Error-Code": "EntryNotFound", "X-Error-Message": "Entry not found"}
            return 404, b"Entry not found", {**missing, "X-Repo-Commit": commit.oid}
        headers = {"X-Repo-Commit": commit.oid, "Content-Type": "application/octet-stream"}
        if not path.endswith(LFS):
            return 200, content, {**headers, "ETag": f'"{blob_id(content)}"'}
        self.store.objects[sha256(content)] = content
        headers |= {"X-Linked-Etag": f'"{sha256(content)}"', "X-Linked-Size": str(len(content))}
        return 302, b"", {**headers, "Location": f"{self.hub.content_url}/objects/{sha256(content)}"}

    @route("GET", "/objects/(?P<oid>[0-9a-f]{64})")
    def get(self, oid, body):
        content = self.store.objects[oid]
        wanted = re.match(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if wanted:
            start, stop = int(wanted[1]), int(wanted[2] or len(content) - 1)
            piece = content[start : stop + 1]
            return 206, piece, {"Content-Range": f"bytes {start}-{start + len(piece) - 1}/{len(content)}"}
        return 200, content, {"ETag": f'"{oid}"', "Content-Type": "application/octet-stream"}
