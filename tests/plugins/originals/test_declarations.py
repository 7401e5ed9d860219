"""What every adapter in an environment of its own declares."""

import numpy as np
import pytest
from impbench_plugins import originals
from impbench_plugins.dca.original import DcaOriginal
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from impbench import Context, Observed
from impbench.environments import environments
from impbench.environments.lockfile import read_lock
from impbench.errors import UnavailableError
from impbench.runner.separate_process import impute_apart
from impbench.testing import check_imputer

ADAPTERS = [DcaOriginal, *originals.impbench_imputers()]


def test_all_are_offered():
    assert len(ADAPTERS) >= 10
    assert all(adapter.name.endswith("-original") for adapter in ADAPTERS)


@pytest.mark.parametrize("adapter", ADAPTERS, ids=lambda adapter: adapter.name)
def test_declares_what_the_contract_asks(adapter):
    check_imputer(adapter)


@pytest.mark.parametrize("adapter", ADAPTERS, ids=lambda adapter: adapter.name)
def test_the_lockfile_fixes_what_is_asked_for_and_fits_it(adapter):
    pins = [Requirement(line) for line in read_lock(adapter)]
    versions = {}
    for pin in pins:
        (one,) = pin.specifier
        assert one.operator == "=="
        assert "+" not in one.version, "a build that others cannot install"
        versions[canonicalize_name(pin.name)] = one.version
    assert len(versions) == len(pins)
    wish = environments.Wish.of(adapter)
    for text in wish.requires:
        wanted = Requirement(text)
        assert versions[canonicalize_name(wanted.name)] in wanted.specifier, text


@pytest.mark.parametrize("adapter", ADAPTERS, ids=lambda adapter: adapter.name)
def test_unavailable_with_the_reason_where_no_such_python_exists(adapter, tmp_path, monkeypatch):
    for name in ("PATH", "PYENV_ROOT", "IMPBENCH_CACHE"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setattr(adapter, "requires_python", "==3.8.999")  # not the running one
    observed = Observed.from_counts(np.ones((30, 30)))
    with pytest.raises(UnavailableError, match=rf"{adapter.name}: needs Python ==3\.8\.999"):
        impute_apart(adapter(), observed, Context())
    assert "pip install uv" in environments.unobtainable(adapter)
