"""Which device PyTorch computes on."""

from __future__ import annotations

from impbench.errors import InputError, UnavailableError


def choose_device(requested: str) -> str:
    """Resolve ``"auto"`` and make sure that CUDA is there when asked for.

    Raises
    ------
    UnavailableError
        If `requested` is a CUDA device that PyTorch cannot see.
    InputError
        If `requested` is no device that is known here.
    """
    if requested == "cpu":
        return "cpu"
    kind, _, number = requested.partition(":")
    if requested != "auto" and (kind != "cuda" or not (number or "0").isdecimal()):
        raise InputError(f"device {requested!r} is none of auto, cpu, cuda, cuda:N")
    import torch

    if requested == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    n_devices = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if int(number or 0) >= n_devices:
        raise UnavailableError(
            f"device {requested!r} was asked for, but PyTorch {torch.__version__} sees {n_devices} "
            "CUDA device(s); use device auto or cpu, or install a CUDA build of PyTorch"
        )
    return requested
