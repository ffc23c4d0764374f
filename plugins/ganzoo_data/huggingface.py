"""Any data set that the `datasets` library reads: of the Hub, parquet files, folders; resident, mapped or streamed."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from pydantic import Field

from ganzoo import GanzooError, NothingHeldOut, ResidentDataset, Settings, Spec
from ganzoo.captions import encode
from ganzoo_data.streams import Example, StreamedDataset, decoded

WORD = {"max_length": 200}


class HuggingFace(StreamedDataset, ResidentDataset):
    """A data set by its name on the Hub, or files of one of the library's formats (parquet, imagefolder, ...).

    What fits in `memory` is decoded once and held; else rows are decoded as they are read, from mapped files, or with
    `streaming` from a stream whose memory doesn't grow. `pip install torch-ganzoo[hf]`.
    """

    class Config(Settings):
        path: str = Field(
            min_length=1, max_length=1000, description="user/name on the Hub, or parquet, imagefolder, ..."
        )
        size: int = Field(ge=4, le=4096, description="side of the squares in pixels")
        channels: Literal[1, 3] = Field(3, description="1 grey, 3 colour")
        subset: str | None = Field(None, **WORD, description="configuration of the data set")
        split: str = Field("train", **WORD, description="part of it, such as test or train[:1000]")
        revision: str | None = Field(None, **WORD, description="commit of the Hub; name one to train the same again")
        files: tuple[str, ...] = Field((), max_length=10_000, description="data files, for the formats")
        folder: str | None = Field(None, max_length=4096, description="data folder, for the formats")
        image: str | None = Field(None, **WORD, description="column of the images; the first of that kind by default")
        label: str | None = Field(None, **WORD, description="column of the labels; the first of that kind by default")
        caption: str | None = Field(None, **WORD, description="column of the captions; `caption` or `text` by default")
        caption_length: int = Field(128, ge=1, le=4096, description="bytes of a caption that are kept")
        streaming: bool = Field(False, description="read it as it comes, without a copy on this machine's disk")
        memory: int = Field(4096, ge=0, le=10**7, description="MiB within which decoded images are held; 0 holds none")
        count: int | None = Field(None, ge=1, le=10**12, description="examples in a pass, where a stream doesn't know")
        lanes: int = Field(1, ge=1, le=4096, description="streams side by side; as many as processes x micro-batches")
        block: int = Field(
            16, ge=1, le=10**6, description="examples from a stream in turn; a process's share of a batch"
        )
        buffer: int = Field(1000, ge=1, le=10**7, description="undecoded examples of a stream that are shuffled")
        licence: str = Field("unknown", max_length=500, description="licence, where the data set doesn't say it")

    def __init__(self, config):
        super().__init__(config)
        c, library = self.config, _library()
        self.rows = _opened(library, c)
        self.features = self.rows.features or next(iter(self.rows.take(1)), {})
        self.found = {
            "image": c.image or self._first(library.Image, ()),
            "label": c.label or self._first(library.ClassLabel, ("label",)),
            "caption": c.caption or self._first((), ("caption", "text")),
        }
        for kind, column in self.found.items():
            if column is not None and column not in self.features:
                raise GanzooError(f"{c.path!r} has no column {column!r} for the {kind}; it has {self._existing()}")
        if self.found["image"] is None:
            raise GanzooError(f"{c.path!r} has no column of images; it has {self._existing()}; name one: image = ...")
        self.columns = tuple(kind for kind, column in self.found.items() if column is not None)
        self.rows = self.rows.cast_column(self.found["image"], library.Image(decode=False))
        self.rows = self.rows.select_columns(list(filter(None, self.found.values())))
        self.labels = self._labels(library)
        self.spec = self._spec()
        if c.streaming and getattr(self.rows, "num_shards", 1) < c.lanes:
            raise GanzooError(f"{c.path!r} has {self.rows.num_shards} shards and can't be read in {c.lanes} lanes")
        self.resident = not c.streaming and self.spec.count * c.size**2 * c.channels <= c.memory * 2**20
        if self.resident:
            self._hold()

    @classmethod
    def is_place(cls, setting, value):
        return setting in ("folder", "files") or (setting == "path" and value.count("/") != 1)  # user/name is the Hub's

    def _first(self, kind, names):
        typed = [name for name, feature in self.features.items() if kind and isinstance(feature, kind)]
        return next(iter([*typed, *(name for name in names if name in self.features)]), None)

    def _existing(self):
        return ", ".join(f"{name} ({getattr(kind, 'dtype', None) or kind})" for name, kind in self.features.items())

    def without(self, column):
        return (
            f"its columns are {self._existing()}; name the right one, data.{column} = ..., or leave the condition out"
        )

    def _labels(self, library):
        column = self.found["label"]
        self.counted = column is not None and isinstance(self.features[column], library.ClassLabel)
        if column is None:
            return ()
        if self.counted:
            return tuple(self.features[column].names)
        if self.config.streaming:
            raise GanzooError(f"the labels in {column!r} have no names, and a stream can't be searched for them first")
        return tuple(str(value) for value in sorted(set(self.rows[column])))

    def _spec(self):
        c, info = self.config, self.rows.info
        known = None if c.streaming else len(self.rows)
        if known is None and info.splits and c.split in info.splits:
            known = info.splits[c.split].num_examples
        count = known or c.count
        if not count:
            raise GanzooError(f"{c.path!r} doesn't say how many examples a pass has; say data.count = ...")
        local = self.is_place("path", c.path) or Path(c.path).exists()
        name = Path(c.path).name if local else c.path
        return Spec(
            name=f"{name} ({c.split}{f', {c.revision}' if c.revision else ''})"[:200],
            count=count,
            size=c.size,
            channels=c.channels,
            labels=self.labels,
            caption_length=c.caption_length if self.found["caption"] else None,
            licence=(c.licence if c.licence != "unknown" else str(info.license or "")) or "unknown",
            attribution=str(info.citation or "")[:5000],
            repository="" if local else c.path,
        )

    def _hold(self):
        def one(row):
            return decoded(self._example_of(self.rows[row])["image"], self.config)

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            arrays = np.stack(list(pool.map(one, range(len(self.rows)))))
        held = {"image": torch.from_numpy(arrays).permute(0, 3, 1, 2).contiguous()}
        if self.found["label"]:
            known = {name: i for i, name in enumerate(self.labels)}
            held["label"] = torch.tensor([self._label(value, known) for value in self.rows[self.found["label"]]])
        if self.found["caption"]:
            held["caption"] = encode(
                [str(text) for text in self.rows[self.found["caption"]]], self.config.caption_length
            )
        self.hold(**held)

    def _label(self, value, known):
        return value if self.counted else known[str(value)]  # a counted one is an index, whatever its name

    def fingerprint(self):
        return super().fingerprint() if self.resident else ""

    def to(self, device):
        return ResidentDataset.to(self, device) if self.resident else StreamedDataset.to(self, device)

    def read(self, columns, seed, start, stop):
        if self.resident:
            return ResidentDataset.read(self, columns, seed, start, stop)
        if self.config.streaming:
            return StreamedDataset.read(self, columns, seed, start, stop)
        self.__dict__.setdefault("data", {"row": torch.zeros(1)})  # where orders are kept
        self.__dict__.setdefault("_orders", {})
        rows = [self._example_of(self.rows[row]) for row in self._rows(seed, start, stop).tolist()]
        return self.tensors(columns, rows)

    def lane(self, lane: int, seed: int, epoch: int) -> Iterator[Example]:
        shards = self.rows.shard(num_shards=self.config.lanes, index=lane)
        if shards.num_shards > 1:
            shards = shards.shuffle(seed=seed * 1_000_003 + epoch, buffer_size=1)  # the order of shards alone
        return map(self._example_of, shards)

    def _example_of(self, row) -> Example:
        image = row[self.found["image"]]
        content = image["bytes"]
        if content is None:
            with open(image["path"], "rb") as file:  # noqa: PTH123 (the library patches open for remote paths)
                content = file.read()
        known = self.__dict__.setdefault("_known", {name: i for i, name in enumerate(self.labels)})
        example = {"image": content}
        if self.found["label"]:
            example["label"] = self._label(row[self.found["label"]], known)
        if self.found["caption"]:
            example["caption"] = str(row[self.found["caption"]])
        return example


def _library():
    try:
        import datasets
    except ImportError:
        raise GanzooError("data 'huggingface' needs the library datasets; pip install torch-ganzoo[hf]") from None
    return datasets


def _opened(library, c):
    if c.path == "pandas":
        raise GanzooError("files of the format 'pandas' are pickles, which can run code; store them as parquet")
    given = {"data_files": list(c.files) or None, "data_dir": c.folder, "revision": c.revision}
    try:
        return library.load_dataset(c.path, c.subset, split=c.split, streaming=c.streaming, **given)
    except Exception as error:  # the library and its readers raise all sorts of things
        words = " ".join(str(error).split())[:300]
        none = c.split == "test" and words.startswith(("Unknown split", "Bad split"))  # mapped, and streamed
        raise (NothingHeldOut if none else GanzooError)(f"data set {c.path!r} can't be opened: {words}") from None
