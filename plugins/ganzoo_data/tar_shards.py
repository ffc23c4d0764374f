"""Shards of tar files in the WebDataset layout, read one after another."""

import json
import math
import random
import re
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field

from ganzoo import GanzooError, Settings, Spec
from ganzoo_data.streams import Example, StreamedDataset

PICTURES = "jpg", "jpeg", "png", "webp"
# the library gives addresses to programs, some versions through a shell, and to a shell what follows `pipe:`
ADDRESS = re.compile(r"(https?|gs|hf)://[\w.~:/?#@%+=,&-]+")
MOST = 2_000_000  # shards; the library writes out all their names


class WebDataset(StreamedDataset):
    """Tar files whose members share a stem: `0001.png`, `0001.cls`, `0001.txt` (Aizman et al., 2019).

    For data of terabytes: memory is the buffers'. `pip install torch-ganzoo[wds]`.
    """

    class Config(Settings):
        urls: str = Field(min_length=1, max_length=4096, description="path or address, as in shards/{000..099}.tar")
        size: int = Field(ge=4, le=4096, description="side of the squares in pixels")
        channels: Literal[1, 3] = Field(3, description="1 grey, 3 colour")
        count: int = Field(ge=1, le=10**12, description="examples in a pass")
        labels: tuple[str, ...] = Field((), max_length=100_000, description="name of each class that a .cls counts")
        label: str = Field("cls", max_length=100, description="suffix of the labels, or a field of the .json")
        caption: str = Field("txt", max_length=100, description="suffix of the captions, or a field of the .json")
        caption_length: int = Field(128, ge=1, le=4096, description="bytes of a caption that are kept")
        lanes: int = Field(1, ge=1, le=4096, description="streams side by side; as many as processes x micro-batches")
        block: int = Field(
            16, ge=1, le=10**6, description="examples from a stream in turn; a process's share of a batch"
        )
        buffer: int = Field(1000, ge=1, le=10**7, description="undecoded examples of a stream that are shuffled")
        licence: str = Field("unknown", max_length=500, description="licence of the images, for the model's card")

    def __init__(self, config):
        super().__init__(config)
        c, self.library = self.config, _library()
        self.shards = self._named(c.urls)
        strange = [
            url for url in self.shards if urlsplit(url).scheme not in ("", "file") and not ADDRESS.fullmatch(url)
        ]
        if strange:
            raise GanzooError(f"{strange[0][:200]!r} is neither a path nor a plain https, gs or hf address")
        if len(self.shards) < c.lanes:
            raise GanzooError(f"{c.urls!r} names {len(self.shards)} shards, which can't be read in {c.lanes} lanes")
        first = self._first()
        self.there = sorted({*first, *self._fields(first)} - {"__key__", "__url__", "__local_path__"})
        self.picture = next((suffix for suffix in PICTURES if suffix in first), None)
        if self.picture is None:
            raise GanzooError(f"the members of {self.shards[0]!r} hold no picture; they have {', '.join(self.there)}")
        known = {"image": True, "label": bool(c.labels) and c.label in self.there, "caption": c.caption in self.there}
        self.columns = tuple(name for name, there in known.items() if there)
        self.spec = Spec(
            name=f"webdataset ({c.urls.rsplit('/', 1)[-1]})"[:200],
            count=c.count,
            size=c.size,
            channels=c.channels,
            labels=c.labels if known["label"] else (),
            caption_length=c.caption_length if known["caption"] else None,
            licence=c.licence,
        )

    @classmethod
    def is_place(cls, setting, value):
        return setting == "urls"

    def without(self, column):
        need = " and data.labels, the classes' names" if column == "label" else ""
        return f"its examples have {', '.join(self.there)}; say which by data.{column}{need}"

    def _named(self, urls: str) -> list[str]:
        if sum(map(names, urls.split("::"))) > MOST:
            raise GanzooError(f"{urls[:200]!r} names more than {MOST:,} shards; are its braces as you meant them?")
        try:
            return list(self.library.shardlists.expand_urls(urls))
        except Exception as error:  # braces that don't close or are too deep, a variable that isn't there
            raise GanzooError(f"{urls[:200]!r} names no shards: {error}") from None

    def _first(self):
        first = next(self._samples(self.shards[:1]), None)
        if first is None:
            raise GanzooError(f"{self.shards[0]!r} holds no examples")
        return first

    def _samples(self, shards):
        for shard in shards:
            if shard.endswith(".tar") and Path(shard).is_file() and Path(shard).stat().st_size % tarfile.BLOCKSIZE:
                raise GanzooError(f"{shard!r} can't be read: its end is missing; fetch or write it anew")
            yield from self._samples_of(shard)

    def _samples_of(self, shard):
        try:
            yield from self.library.WebDataset(
                [shard],
                shardshuffle=False,
                handler=_refused,
                nodesplitter=iter,  # none: a process asks for its share by position
                empty_check=False,
            )
        except (OSError, EOFError, tarfile.TarError) as error:
            raise GanzooError(f"{self.config.urls!r} can't be read: {error}") from None

    def _fields(self, sample):
        return json.loads(sample["json"]) if "json" in sample else {}

    def lane(self, lane: int, seed: int, epoch: int) -> Iterator[Example]:
        shards = self.shards[lane :: self.config.lanes]
        random.Random(f"{seed} {epoch} {lane}").shuffle(shards)
        for sample in self._samples(shards):
            fields = self._fields(sample)
            example = {"image": sample[self.picture]}
            if "label" in self.columns:
                example["label"] = int(sample.get(self.config.label, fields.get(self.config.label)))
            if "caption" in self.columns:
                text = sample.get(self.config.caption, fields.get(self.config.caption))
                example["caption"] = text.decode(errors="replace") if isinstance(text, bytes) else str(text)
            yield example


def names(pattern: str) -> int:
    """How many names a pattern with braces stands for, at the least more than MOST where it is more."""

    def ways(text: str) -> int:
        return math.prod(map(int, re.findall("\0([0-9]+)\0", text)))

    def group(braces: re.Match[str]) -> str:
        if ends := re.fullmatch(r"(-?\d+)\.\.(-?\d+)(?:\.\.-?(\d+))?", braces[1]):
            first, last, step = (int(number or 1) for number in ends.groups())
            found = abs(last - first) // (step or 1) + 1
        elif re.fullmatch(r"[A-Za-z]\.\.[A-Za-z](\.\.-?\d+)?", braces[1]):
            found = 52
        else:
            found = sum(map(ways, braces[1].split(",")))
        return f"\0{min(found, MOST + 1)}\0"

    pattern, more = re.sub(r"\\.", "", pattern), 1
    while more:
        pattern, more = re.subn(r"\{([^{}]*)\}", group, pattern)
    return ways(pattern)


def _refused(error: Exception) -> bool:
    raise error


def _library():
    try:
        import webdataset
    except ImportError:
        raise GanzooError("data 'webdataset' needs the library webdataset; pip install torch-ganzoo[wds]") from None
    return webdataset
