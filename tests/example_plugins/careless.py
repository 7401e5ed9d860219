"""A single-file plugin of methods whose answers are odd; each in one way."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from impbench import Context, Imputed, Imputer, Observed, hookimpl, parameter
from impbench.errors import UnavailableError


def _deep(levels: int) -> dict[str, Any]:
    info: dict[str, Any] = {}
    for _ in range(levels):
        info = {"more": info}
    return info


INFOS: dict[str, Callable[[], dict[str, Any]]] = {
    "number-as-version": lambda: {"versions": {"R": 4.3}},
    "list-of-versions": lambda: {"versions": ["R 4.3"]},
    "deep": lambda: _deep(900),
    "deeper": lambda: _deep(25),
    "large": lambda: {"text": "x" * 2_000_000},
    "nan": lambda: {"loss": float("nan"), "sizes": [float("inf"), 10**400]},
    "half-characters": lambda: {"\ud800": "\udfff", "versions": {"\ud800": "\x1b[31m"}},
}


@dataclass(frozen=True)
class Tells(Imputer):
    name = "tells"
    summary = "Puts odd things into its info."
    what: str = parameter("", "Which.")

    def impute(self, observed: Observed, context: Context) -> Imputed:
        return Imputed(observed.lognorm, "lognorm", info=INFOS[self.what]())


DONE = ['{"versions": {"a": ', "{}", "[]", '{"versions": {"a": 1}}', "nothing", '"x"', ""]


@dataclass(frozen=True)
class Writes(Imputer):
    name = "writes"
    summary = "Writes its answer itself, and ends."
    file: Literal["done.json", "error.json"] = parameter("done.json", "Which.")
    text: int = parameter(-1, "Of DONE.")
    status: int = parameter(0, "Of its process.")

    def impute(self, observed: Observed, context: Context) -> Imputed:
        output = Path("../output")
        if self.file == "done.json":
            from impbench.worker.exchange import save_imputed

            (output / f"seed-{context.seed}").mkdir()
            save_imputed(output / f"seed-{context.seed}", Imputed(observed.lognorm, "lognorm"))
        (output / self.file).write_text(DONE[self.text])
        os._exit(self.status)


@dataclass(frozen=True)
class Replaces(Imputer):
    """Puts something else in the place of its answer, after the worker has written it."""

    name = "replaces"
    summary = "Replaces its answer."
    by: Literal["link", "pipe", "folder", "nothing", "hard-link", "none"] = parameter(
        "none", "What by."
    )

    def impute(self, observed: Observed, context: Context) -> Imputed:
        import impbench.worker.imputation as ours

        place = Path(f"../output/seed-{context.seed}/expression.npy")
        write = ours.write_json

        def late(path: Path, content: Any) -> None:
            place.rename(place.with_name("kept.npy"))
            if self.by == "link":
                place.symlink_to("kept.npy")
            elif self.by == "pipe":
                os.mkfifo(place)
            elif self.by == "folder":
                place.mkdir()
            elif self.by == "hard-link":
                os.link(place.with_name("kept.npy"), place)
            write(path, content)

        ours.write_json = late
        return Imputed(observed.lognorm, "lognorm")


@dataclass(frozen=True)
class DeletesAll(Imputer):
    name = "deletes-all"
    summary = "Removes every folder of its task that it can."

    def impute(self, observed: Observed, context: Context) -> Imputed:
        for folder in ("../../..", "../..", "..", ".", "../output"):
            shutil.rmtree(folder, ignore_errors=True)
        return Imputed(observed.lognorm, "lognorm")


@dataclass(frozen=True)
class Floods(Imputer):
    name = "floods"
    summary = "Prints 300 MB, its first and last words among them."
    written: ClassVar[int] = 300

    def impute(self, observed: Observed, context: Context) -> Imputed:
        print("first words")
        line = "x" * (2**20 - 1)
        for _ in range(self.written):
            print(line)
        print("last words")
        sys.stdout.flush()
        return Imputed(observed.lognorm, "lognorm")


@dataclass(frozen=True)
class Chats(Imputer):
    name = "chats"
    summary = "Says strange things to the runner."

    def impute(self, observed: Observed, context: Context) -> Imputed:
        channel = int(sys.argv[2])
        messages = ["no json", "[]", "{}", '{"pid": 1}', '{"status": 0}', '{"alone": true}', "1"]
        for message in (*messages, json.dumps({"ready": 1})):
            os.write(channel, message.encode() + b"\n")
        return Imputed(observed.lognorm, "lognorm")


@dataclass(frozen=True)
class Lacks(Imputer):
    name = "lacks-something"
    summary = "Finds out only when it has the data that it cannot work."

    def impute(self, observed: Observed, context: Context) -> Imputed:
        raise UnavailableError("needs more cells")


@hookimpl
def impbench_imputers() -> list[type[Imputer]]:
    return [Tells, Writes, Replaces, DeletesAll, Floods, Chats, Lacks]
