"""Where the files of a data set lie: the user's own folder first, then the download cache."""

from __future__ import annotations

import os
from pathlib import Path

from impbench.cache import CACHE_VARIABLE, cache_of
from impbench.data.card import Card
from impbench.data.download import Progress, download
from impbench.errors import InputError, UnavailableError

FOLDER_VARIABLE = "IMPBENCH_DATA"

LOCAL_LABEL_KEY = "cell_type"
"""Cell types in a local ``NAME.h5ad``; its `X` holds the counts."""


def set_data_folder(path: str | Path | None) -> None:
    """Look for data sets in `path` first (None: nowhere but the cache), as ``--data-dir`` does.

    The folder is kept in the environment variable ``IMPBENCH_DATA``, so that processes started
    from this one look there too.

    Raises
    ------
    InputError
        If `path` is not a folder.
    """
    if path is None:
        os.environ.pop(FOLDER_VARIABLE, None)
        return
    folder = Path(path).expanduser().resolve()
    if not folder.is_dir():
        raise InputError(f"--data-dir {path} is not a folder")
    os.environ[FOLDER_VARIABLE] = str(folder)


def data_folder() -> Path | None:
    """Return the folder that ``IMPBENCH_DATA`` names, or None; errors as `set_data_folder`."""
    text = os.environ.get(FOLDER_VARIABLE)
    if not text:
        return None
    folder = Path(text).expanduser()
    if not folder.is_dir():
        raise InputError(f"{FOLDER_VARIABLE}={text} is not a folder; correct or unset it")
    return folder


def cache_folder() -> Path:
    """Return the folder downloads go to: ``IMPBENCH_CACHE``, else the user's cache folder."""
    return cache_of("data")


def locate(card: Card) -> Path:
    """Return where the data set lies: ``NAME.h5ad``, or the folder that holds its official files.

    The data folder comes first, then the cache; ``pbmc68k-reduced`` lies in scanpy's package.

    Raises
    ------
    UnavailableError
        If it lies nowhere; says which file to put where.
    """
    found = _look_up(card)
    if found is None:
        raise UnavailableError(f"{card.name} is not on this machine. {how_to_provide(card)}")
    return found


def fetch_files(card: Card, progress: Progress | None = None) -> Path:
    """Return what `locate` returns, after downloading the official files if they are missing.

    Raises
    ------
    UnavailableError
        If a file cannot be downloaded; says which file to put where.
    InputError
        If a checksum differs, or the cache cannot be written.
    """
    found = _look_up(card)
    folder = cache_folder() / card.name
    if found is not None and found != folder:
        return found
    if not card.files:
        raise UnavailableError(f"{card.name} has no download. {how_to_provide(card)}")
    try:
        for file in card.files:
            download(file, folder, progress)
    except UnavailableError as error:
        raise UnavailableError(f"{card.name}: {error}. {how_to_provide(card)}") from error
    except OSError as error:
        raise InputError(
            f"{card.name} cannot be written to {folder}: {error.strerror or error}; "
            f"set {CACHE_VARIABLE} to a folder with room that you may write to"
        ) from error
    return folder


def how_to_provide(card: Card) -> str:
    """Say which file to put where, for a machine that cannot download it."""
    folder = data_folder()
    place = str(folder) if folder else "FOLDER"
    naming = "" if folder else f" and set {FOLDER_VARIABLE}=FOLDER (or pass --data-dir FOLDER)"
    ways = []
    if card.files:
        names = " and ".join(f"{file.url} as {file.filename}" for file in card.files)
        hint = "" if len(card.files) == 1 else "both "
        ways.append(f"save {names}, {hint}in {cache_folder() / card.name} (layout: {card.layout})")
    ways.append(
        f"put an AnnData file {place}/{card.name}.h5ad (counts in X, cells × genes, cell types in "
        f"obs[{LOCAL_LABEL_KEY!r}]){naming}"
    )
    text = "; or ".join(ways)
    return text[0].upper() + text[1:]


def _look_up(card: Card) -> Path | None:
    if card.layout == "scanpy-package":
        from impbench.data.bundled import pbmc68k_path

        return pbmc68k_path()
    folder = data_folder()
    places = [cache_folder() / card.name]
    if folder is not None:
        if (folder / f"{card.name}.h5ad").is_file():
            return folder / f"{card.name}.h5ad"
        places.insert(0, folder / card.name)
    for place in places:
        if card.files and all((place / file.filename).is_file() for file in card.files):
            return place
    return None
