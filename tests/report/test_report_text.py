"""Names and numbers as they are shown."""

import math
import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from impbench.report.numbers import number, p_text, skill_text, spread
from impbench.report.text import (
    listed,
    plain,
    plain_lines,
    short_names,
    shorten,
    slug,
    unique_slugs,
)

names = st.text(min_size=1, max_size=80)


@given(st.text(max_size=300))
def test_plain_text_is_one_line_without_control_characters_and_encodes(text):
    shown = plain(text)
    assert not any(unicodedata.category(char) in ("Cc", "Cf", "Cs") for char in shown)
    shown.encode("utf-8")
    assert plain(shown) == shown


def test_terminal_escapes_become_visible_in_names_and_go_from_logs():
    assert plain("a\x1b[31mred") == "a\\x1b[31mred"
    assert plain_lines("\x1b[31mred\x1b[0m\r\nnext\x07") == "red\nnext\\x07"


@given(names, st.integers(8, 40))
def test_shortened_text_fits(text, length):
    assert len(shorten(text, length)) <= length


@given(st.lists(names, max_size=12, unique=True))
def test_short_names_stay_different(texts):
    short = short_names(texts, 12)
    assert len(set(short.values())) == len(texts)


def test_long_names_keep_the_part_in_which_they_differ():
    specs = [f"a-method-with-a-long-name[learning_rate={rate},layers=3]" for rate in (0.1, 0.01)]
    assert ["0.1," in text for text in short_names(specs).values()] == [True, False]


@given(st.lists(names, max_size=8, unique=True))
def test_file_names_are_safe_and_different(texts):
    slugs = unique_slugs(texts)
    assert len(set(slugs.values())) == len(texts)
    for text in slugs.values():
        assert text.strip(".-")
        assert set(text) <= set("abcdefghijklmnopqrstuvwxyz0123456789.-")


def test_slug_cannot_leave_its_folder():
    assert slug("../../etc/passwd") == "etc-passwd"


def test_numbers_keep_three_digits_and_a_true_minus():
    shown = [number(value) for value in (0.38712, 12.345, 1234.5, -0.5, 0, 1e-7, 2e9)]
    assert shown == ["0.387", "12.3", "1234", "−0.500", "0", "1.00e−7", "2.00e9"]
    assert (number(math.nan), number(math.inf)) == ("—", "∞")


def test_spread_is_at_the_precision_of_the_mean():
    assert spread(0.38712, 0.0041) == "0.387 ± 0.004"
    assert spread(0.38712, 0.0) == "0.387 ± 0"
    assert spread(0.38712, 1e-6) == "0.387 ± <0.001"
    assert spread(0.38712, math.nan) == "0.387"


def test_skill_shows_its_sign_and_p_values_are_never_zero():
    assert [skill_text(value) for value in (0.5, -0.5, 0, 1e-9, math.nan)] == [
        "+0.50",
        "−0.50",
        "0.00",
        "0.00",
        "—",
    ]
    assert [skill_text(value) for value in (0.999, 1 - 1e-6, 1.0)] == ["+0.999", "+1.00", "+1.00"]
    assert p_text(1e-9) == "< 0.0001"


def test_long_lists_say_how_many_are_left():
    assert listed(["a"]) == "a"
    assert listed(["a", "b", "c"]) == "a, b and c"
    assert listed(list("abcdef"), 3) == "a, b and 4 more"


def test_spread_shows_no_digits_that_the_sd_does_not_bear_out():
    assert spread(0.000819, 0.002289) == "0.0008 ± 0.0023"
    assert spread(0.304, 0.15) == "0.30 ± 0.15"
    assert spread(0.0, 0.01) == "0 ± 0.010"
