"""The compression of a file's own matrices, for what is added to it."""

from __future__ import annotations

from typing import Any

DEFLATE, SHUFFLE, FLETCHER32, LZF, BITSHUFFLE = 1, 2, 3, 32000, 32008
"""Numbers of HDF5 filters, as the HDF Group registers them."""


def compression_of(file: Any) -> dict[str, Any]:
    """Return h5py's keywords for the first compressed matrix among X, the layers and raw.X.

    Parameters
    ----------
    file
        An open h5ad file.

    Returns
    -------
    Keywords of `h5py.Group.create_dataset`; none where the matrices are not compressed.
    """
    import h5py

    places = ["X", *(f"layers/{name}" for name in file.get("layers", ())), "raw/X", "raw.X"]
    for place in places:
        item = file.get(place)
        item = item.get("data") if isinstance(item, h5py.Group) else item
        if isinstance(item, h5py.Dataset) and (keywords := _filters(item)):
            return keywords
    return {}


def _filters(dataset: Any) -> dict[str, Any]:
    plist = dataset.id.get_create_plist()
    found: dict[str, Any] = {}
    for i in range(plist.get_nfilters()):
        number, _, values, _ = plist.get_filter(i)
        if number == DEFLATE:
            found |= {"compression": "gzip", "compression_opts": values[0]}
        elif number == SHUFFLE:
            found["shuffle"] = True
        elif number == FLETCHER32:
            found["fletcher32"] = True
        elif number == LZF:
            found["compression"] = "lzf"
        elif _can_write(number):
            # Bitshuffle puts three numbers of its own before the ones it was given.
            given = values[3:] if number == BITSHUFFLE else values
            found |= {"compression": number, "compression_opts": tuple(given)}
        else:
            found["compression"] = "gzip"
    return found


def _can_write(number: int) -> bool:
    import h5py

    if not h5py.h5z.filter_avail(number):
        return False
    return bool(h5py.h5z.get_filter_info(number) & h5py.h5z.FILTER_CONFIG_ENCODE_ENABLED)
