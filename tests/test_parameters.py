import math
from dataclasses import dataclass
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from impbench.errors import InputError
from impbench.parameters import Parametrised, parameter, split_spec, split_specs


@dataclass(frozen=True)
class Method(Parametrised):
    name = "method"
    summary = "Everything a parameter can be"

    steps: int = parameter(3, "How many.", min=1, max=100)
    rate: float = parameter(0.5, "How fast.", min=0, symbol="γ")
    t: int | Literal["auto"] = parameter(3, "Steps or auto.", min=1)
    most: int | None = parameter(None, "Limit or none.")
    fast: bool = parameter(False, "Whether.")
    library: Literal["own", "true"] = parameter("own", "Which sizes.")
    label: str = parameter("x", "Any text.")
    ends: tuple[float, float] = parameter((2.0, 99.5), "Two numbers.", min=0, max=100)
    words: tuple[str, ...] = parameter((), "Any number of words.")
    key: str | None = parameter(None, "Text or none.")


def _rebuilt(method):
    name, values = split_spec(method.spec)
    assert name == method.name
    return Method.from_text(values)


def test_spec_names_only_what_differs_from_the_default():
    assert Method().spec == "method"
    assert Method(steps=3, rate=0.5).spec == "method"
    assert Method(t="auto", steps=5).spec == "method[steps=5,t=auto]"
    assert Method(library="true", fast=True).spec == "method[fast=true,library=true]"
    assert Method(ends=(1, 98)).spec == "method[ends=[1.0, 98.0]]"


@given(
    st.builds(
        Method,
        steps=st.integers(1, 100),
        rate=st.floats(0, allow_nan=False),
        t=st.integers(1) | st.just("auto"),
        most=st.none() | st.integers(),
        fast=st.booleans(),
        library=st.sampled_from(["own", "true"]),
        label=st.text() | st.sampled_from(["5", "true", "none", "inf", "2020-01-01", "a,b", "c]"]),
        ends=st.tuples(st.floats(0, 100), st.floats(0, 100)),
        words=st.lists(st.text(max_size=5), max_size=3).map(tuple),
        key=st.none() | st.text() | st.sampled_from(["none", '"', "\\", 'a"],b', "\x7f", "'"]),
    )
)
def test_spec_read_back_gives_the_same_parameters(method):
    assert _rebuilt(method) == method
    assert _rebuilt(method).spec == method.spec
    assert split_specs(f"first,{method.spec},last[t=1]") == ["first", method.spec, "last[t=1]"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ({"steps": "7"}, Method(steps=7)),
        ({"rate": "1"}, Method(rate=1.0)),
        ({"rate": "1e-4"}, Method(rate=1e-4)),
        ({"rate": "inf"}, Method(rate=math.inf)),
        ({"t": "auto"}, Method(t="auto")),
        ({"t": '"auto"'}, Method(t="auto")),
        ({"most": "none"}, Method(most=None)),
        ({"most": "None"}, Method(most=None)),
        ({"fast": "true"}, Method(fast=True)),
        ({"fast": "True"}, Method(fast=True)),
        ({"library": "true"}, Method(library="true")),
        ({"label": "5"}, Method(label="5")),
        ({"label": "my file.h5ad"}, Method(label="my file.h5ad")),
        ({"ends": "[1, 99]"}, Method(ends=(1.0, 99.0))),
        ({"words": '["a", "b"]'}, Method(words=("a", "b"))),
    ],
)
def test_values_are_written_as_in_toml_or_as_bare_words(text, expected):
    assert Method.from_text(text) == expected


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"steps": 2.5}, r"method: parameter steps=2.5 is not int \(default: 3\)"),
        ({"steps": True}, "steps=True is not int"),
        ({"steps": "7"}, "steps='7' is not int"),
        ({"rate": "fast"}, "rate='fast' is not float"),
        ({"rate": True}, "rate=True is not float"),
        ({"rate": 10**400}, r"rate=1000+ is not float"),
        ({"t": "never"}, r"t='never' is not int \| auto"),
        ({"t": 1.5}, r"t=1.5 is not int \| auto"),
        ({"most": "all"}, r"most='all' is not int \| none"),
        ({"fast": 1}, "fast=1 is not bool"),
        ({"library": "mine"}, r"library='mine' is not own \| true"),
        ({"library": True}, r"library=True is not own \| true"),
        ({"ends": (1.0,)}, "ends=.* is not tuple of float"),
        ({"ends": 1.0}, "ends=1.0 is not tuple of float"),
        ({"words": ("a", 1)}, "words=.* is not tuple of str"),
        ({"steps": 0}, "steps=0 must be at least 1 and at most 100"),
        ({"steps": 101}, "steps=101 must be at least 1 and at most 100"),
        ({"rate": -0.1}, "rate=-0.1 must be at least 0$"),
        ({"rate": math.nan}, "rate=nan must be at least 0"),
        ({"t": 0}, "t=0 must be at least 1"),
        ({"ends": (0, 101)}, r"ends=\(0.0, 101.0\) must be at least 0 and at most 100"),
    ],
)
def test_misfit_says_which_parameter_and_what_it_accepts(values, message):
    with pytest.raises(InputError, match=message):
        Method(**values)


def test_bounds_are_inclusive_and_do_not_concern_words():
    assert Method(steps=1).steps == 1
    assert Method(steps=100).steps == 100
    assert Method(t="auto").t == "auto"


def test_numbers_arrive_in_the_declared_type():
    method = Method(rate=1, ends=[3, 4])
    assert isinstance(method.rate, float)
    assert method.ends == (3.0, 4.0)
    assert isinstance(method.ends, tuple)
    assert hash(method) == hash(Method(rate=1.0, ends=(3.0, 4.0)))


def test_unknown_parameter_is_refused_with_the_known_ones():
    with pytest.raises(InputError, match="method has no parameter 'step'; its parameters: steps,"):
        Method.from_text({"step": "5"})

    @dataclass(frozen=True)
    class Plain(Parametrised):
        name = "plain"
        summary = "No parameters"

    with pytest.raises(InputError, match="its parameters: none"):
        Plain.from_text({"t": "5"})


def test_describe_lists_parameters_in_order_with_type_default_help_and_symbol():
    listed = Method.describe()
    assert [p.name for p in listed] == list(Method().parameters())
    by_name = {p.name: p for p in listed}
    assert by_name["rate"].symbol == "γ"
    assert by_name["rate"].help == "How fast."
    assert by_name["t"].type == "int | auto"
    assert by_name["most"].type == "int | none"
    assert by_name["library"].type == "own | true"
    assert by_name["ends"].type == "tuple of float"
    assert by_name["steps"].default == 3


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("magic", ("magic", {})),
        (" magic ", ("magic", {})),
        ("magic[]", ("magic", {})),
        ("magic[t=5,knn=10]", ("magic", {"t": "5", "knn": "10"})),
        ("magic[ t = 5 , knn=10 ]", ("magic", {"t": "5", "knn": "10"})),
        ("m[q=[1, 2],t=5]", ("m", {"q": "[1, 2]", "t": "5"})),
        ('m[path="a,b=c].h5ad",t=5]', ("m", {"path": '"a,b=c].h5ad"', "t": "5"})),
        ("m[path=a=b]", ("m", {"path": "a=b"})),
    ],
)
def test_a_spec_splits_into_name_and_values(spec, expected):
    assert split_spec(spec) == expected


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("magic[t=5", "lacks its closing bracket"),
        ("magic[t=5]x", "lacks its closing bracket"),
        ("magic[t]", r"'t' in 'magic\[t\]' is not key=value"),
        ("magic[=5]", "is not key=value"),
        ("magic[t=5,t=6]", "gives 't' twice"),
    ],
)
def test_malformed_specs_are_refused(spec, message):
    with pytest.raises(InputError, match=message):
        split_spec(spec)


def test_lists_split_at_commas_outside_brackets_and_quotes():
    text = 'magic[t=5,knn=10], no-imputation,,x[a="b,c]"]'
    assert split_specs(text) == ["magic[t=5,knn=10]", "no-imputation", 'x[a="b,c]"]']
    assert split_specs("") == []
