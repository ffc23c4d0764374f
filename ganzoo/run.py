"""A run: the folder of a training, with its recipe, log, checkpoints, sample grids and exported models."""

import contextlib
import errno
import json
import logging
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganzoo.dataset import Spec
from ganzoo.errors import RunError
from ganzoo.files import from_json, read_regular, to_json, typed
from ganzoo.recipes import Recipe
from ganzoo.settings import mistakes

if TYPE_CHECKING:
    import torch

    from ganzoo.model import Model

log = logging.getLogger("ganzoo")
NO_LOCKS = errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP  # as NFS without a lock daemon and Lustre without `flock` say


class Run:
    """What a training produced.

    `recipe.json` the resolved recipe and the data's spec, `metrics.jsonl` a line per logging interval, `checkpoints/`,
    `samples/` grids from fixed latents, `exports/` model folders.
    """

    def __init__(self, folder: str | Path):
        self.folder = typed(folder)

    def __repr__(self) -> str:
        return f"Run({str(self.folder)!r})"

    @property
    def checkpoints(self) -> Path:
        return self.folder / "checkpoints"

    @property
    def samples(self) -> Path:
        return self.folder / "samples"

    @property
    def exports(self) -> Path:
        return self.folder / "exports"

    @property
    def log(self) -> Path:
        return self.folder / "metrics.jsonl"

    @property
    def exists(self) -> bool:
        try:
            return (self.folder / "recipe.json").is_file()
        except OSError:  # too long a name, or a folder that may not be looked into
            return False

    @property
    def recipe(self) -> Recipe:
        """The resolved recipe that this run follows."""
        return Recipe.parse(self._record()["recipe"])

    @property
    def spec(self) -> Spec:
        """What the training data was. Raises RunError."""
        try:
            return Spec.read(self._record()["spec"])
        except ValueError as error:
            said = "; ".join(mistakes(error, "spec")[:5])
            raise RunError(f"{str(self.folder)!r} is no run folder: its recipe.json has mistakes ({said})") from None

    def _record(self) -> dict[str, Any]:
        try:
            record: dict[str, Any] = from_json(read_regular(self.folder / "recipe.json").decode())
            if not (isinstance(record, dict) and all(isinstance(record.get(k), dict) for k in ("recipe", "spec"))):
                raise ValueError("it needs a recipe and a spec")
            return record
        except (OSError, ValueError) as error:
            raise RunError(f"{str(self.folder)!r} is no run folder: its recipe.json can't be read ({error})") from None

    def check_place(self) -> None:
        """Refuse a folder that holds a person's other files, or links in place of files: a run writes there, and
        --restart deletes."""
        places = self.folder, self.samples, self.folder / "diverged"
        links = [i for place in places for i in place.glob("*") if i.is_symlink() and not i.is_dir()]
        if links:
            names = ", ".join(sorted(str(i.relative_to(self.folder)) for i in links)[:5])
            raise RunError(
                f"{str(self.folder)!r} has links in place of files ({names}), which training would write through; "
                "put the files there, or choose another folder"
            )
        if self.exists or not self.folder.is_dir():
            return
        own = (".lock", ".recipe.json", "checkpoints", "samples", "exports")
        other = [i.name for i in self.folder.iterdir() if i.name not in own or (i.is_dir() and any(i.iterdir()))]
        if other:
            names = ", ".join(sorted(other)[:5])
            raise RunError(f"{str(self.folder)!r} holds other files ({names}) and no run; choose another folder")

    @property
    def lineage(self) -> list[dict[str, Any]]:
        """The models that training started from, nearest first, with their licences and data."""
        return list(self._record().get("lineage", []))

    @property
    def fingerprint(self) -> str:
        """The hash of the data, where the dataset gives one."""
        return str(self._record().get("fingerprint", ""))

    def begin(self, recipe: Recipe, spec: Spec, lineage: Sequence[dict[str, Any]] = (), fingerprint: str = "") -> None:
        """Make the folder, or find in it the same recipe."""
        try:
            for folder in (self.folder, self.checkpoints, self.samples, self.exports):
                folder.mkdir(parents=True, exist_ok=True)
            temporary = self.folder / ".recipe.json"
            record = {"recipe": recipe.tables(), "spec": spec.model_dump(mode="json"), "lineage": list(lineage)}
            record |= {"fingerprint": fingerprint} if fingerprint else {}
            temporary.write_text(to_json(record), "utf-8")
            temporary.replace(self.folder / "recipe.json")
            (self.folder / "health.json").unlink(missing_ok=True)  # of an end that is none any more
        except OSError as error:
            raise RunError(f"the run folder {str(self.folder)!r} can't be written: {error.strerror}") from None

    def clear(self) -> None:
        """Delete what training wrote, and nothing else: the folders may be links to where other files are. Raises
        RunError when something stays, so that it isn't gone on with."""
        written = "checkpoints/step-* checkpoints/damaged-* exports/step-* exports/best samples/*.png diverged/*.json"
        try:
            for item in [path for pattern in written.split() for path in self.folder.glob(pattern)]:
                item.unlink() if item.is_symlink() or not item.is_dir() else shutil.rmtree(item)
        except OSError as error:
            raise RunError(f"the run in {str(self.folder)!r} can't be deleted: {error.strerror}") from None

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Nobody else trains in this folder. The system frees the lock with the process, however it ends; where a file
        system has no locks, that is said.

        What fails before anything was written leaves no folder behind.
        """
        try:
            import fcntl
        except ImportError:
            raise RunError("training locks its folder in a way that Windows doesn't have; train under WSL") from None
        lock, there = self.folder / ".lock", self.folder.exists()
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            file = lock.open("w")
        except OSError as error:
            raise RunError(f"the run folder {str(self.folder)!r} can't be written: {error.strerror}") from None
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if not os.path.samestat(os.fstat(file.fileno()), lock.stat()):
                    raise BlockingIOError  # of another process, which is about to leave
            except OSError as error:
                if error.errno not in NO_LOCKS:
                    raise RunError(
                        f"another process is training in {str(self.folder)!r}; wait for it or use another folder"
                    ) from None
                log.warning(
                    "the file system of %r has no locks (%s); start no other training in it",
                    str(self.folder),
                    error.strerror,
                )
            try:
                yield
            except BaseException:
                self._leave(there)
                raise

    def _leave(self, there: bool) -> None:
        with contextlib.suppress(OSError):
            if [item.name for item in self.folder.iterdir()] == [".lock"]:
                (self.folder / ".lock").unlink()
                if not there:
                    self.folder.rmdir()

    def metrics(self) -> list[dict[str, float]]:
        """The rows of the log, oldest first, without a half written one. Raises RunError where there is no run."""
        if not self.log.is_file():
            self._check_begun()
            return []
        rows = []
        for line in self.log.read_bytes().splitlines():
            with contextlib.suppress(ValueError):  # which a crash cut, or which is being written just now
                rows.append(json.loads(line))
        return rows

    def health(self) -> dict[str, Any]:
        """How the finished training looks: `values`, and `findings` in words; empty before the end. Raises RunError."""
        path = self.folder / "health.json"
        if not path.is_file():
            self._check_begun()
            return {}
        return dict(from_json(path.read_text("utf-8")))

    def _check_begun(self) -> None:
        if not self.exists:
            raise RunError(f"{str(self.folder)!r} is no run folder: it has no recipe.json")

    def newest_export(self) -> Path:
        """The model folder of the latest export. Raises RunError when nothing was exported yet."""
        found = sorted(self.exports.glob("step-*"))
        if not found:
            raise RunError(
                f"run {str(self.folder)!r} has no exported model yet; let it train to its end, or end it: the same "
                "command with a training.images that it has passed exports what it has"
            )
        return found[-1]

    def best_export(self) -> Path:
        """The model folder of the best checkpoint, by `training.best` or what was measured. Raises RunError."""
        if not (self.exports / "best").is_dir():
            raise RunError(f"run {str(self.folder)!r} has no best checkpoint; add [training.measure] or training.best")
        return self.exports / "best"

    def model(self, device: str | None = None, dtype: "torch.dtype | None" = None) -> "Model":
        """The trained model; where a checkpoint is newer than every export, that of the newest. Raises RunError."""
        from ganzoo.engine.unfinished import newest_model

        return newest_model(self, device, dtype)
