"""Numbers written as text: which are certain, and what others look like."""

import math

import numpy as np
import pytest

from slopewise.data.reading import Reading, reading_of
from slopewise.data.written_numbers import is_date, number_of, numbers_of, separators, unit_of
from slopewise.errors import OptionError


@pytest.mark.parametrize(
    ("text", "number"),
    [
        *{"1.5": 1.5, "-2e3": -2000.0, "+.5": 0.5, "7.": 7.0, " 3 ": 3.0, "\u22122.5": -2.5, "1E-2": 0.01}.items(),
        ("inf", math.inf),
        *dict.fromkeys(
            (
                "1,234",
                "1,5",
                "1.234,5",
                "1 234",
                "1\u00a0234",
                "1_000",
                "0x1F",
                "12 kg",
                "3 %",
                "€3",
                "(3)",
                "-",
                "1-2",
            ),
            None,
        ).items(),
    ],
)
def test_plain_numbers_alone_are_certain(text, number):
    assert number_of(text, Reading()) == number


@pytest.mark.parametrize(
    ("text", "options", "number"),
    [
        ("1,5", {"decimal": ","}, 1.5),
        ("1,234", {"decimal": ","}, 1.234),
        ("1,234", {"thousands": ","}, 1234.0),
        ("1,234.5", {"thousands": ","}, 1234.5),
        ("1,5", {"thousands": ","}, None),
        ("12,34,567", {"thousands": ","}, None),
        ("1.234,5", {"thousands": "."}, 1234.5),
        ("1.234", {"decimal": ","}, None),
        ("90.74", {"decimal": ","}, None),
        ("1 234", {"thousands": " "}, 1234.0),
        ("1\u00a0234,5", {"thousands": " ", "decimal": ","}, 1234.5),
        ("\u22121\u202f234", {"thousands": " "}, -1234.0),
        ("1'234'567", {"thousands": "'"}, 1234567.0),
        ("1’234", {"thousands": "'"}, 1234.0),
        ("1_000", {"thousands": "_"}, 1000.0),
    ],
)
def test_separators_that_are_said_are_read_and_no_others(text, options, number):
    assert number_of(text, reading_of(**options)) == number


def test_words_that_mean_missing_are_no_number():
    assert math.isnan(number_of("NA", Reading())) and math.isnan(number_of("?", Reading(na_values=("?",))))
    assert number_of("NA", Reading(na_values=("?",))) is None
    np.testing.assert_array_equal(numbers_of(["-9999", "1", ""], Reading(na_values=("-9999",))), [np.nan, 1, np.nan])
    np.testing.assert_array_equal(numbers_of(["-9999.0", "1"], Reading(na_values=("-9999",))), [np.nan, 1])
    with pytest.raises(ValueError, match="1"):
        numbers_of(["3", "1_000"], Reading())
    with pytest.raises(ValueError, match="0"):
        numbers_of(["-"], Reading())


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        *{"12 kg": "kg", "3 %": "%", "3%": "%", "€1,200": "€", "₩1,200": "₩", "1,200원": "원", "$ 3": "$"}.items(),
        *{"USD 5": "USD", "20 °C": "°C", "60 km/h": "km/h", "(3)": "", "1_000": "", "0x1F": "", "1,234-": ""}.items(),
        *dict.fromkeys(("18-25", "4+", "<5", "a1", "No 5", "E5", "-", "abc", "kg 5"), None).items(),
    ],
)
def test_a_unit_is_what_stands_around_the_digits(text, unit):
    assert unit_of(text) == unit


def test_separators_are_told_from_the_texts_unless_a_comma_could_be_both():
    assert separators(["1,234"]) is None and separators(["12"]) is None
    assert separators(["1,5", "1,234"]) == (",", "")
    assert separators(["1.234,5"]) == (",", ".") and separators(["1,234.5", "2,000"]) == (".", ",")
    assert separators(["1\u00a0234"]) == (".", " ") and separators(["1'234"]) == (".", "'")
    assert separators(["1.234"], ",") == (",", ".")


def test_dates_months_and_times():
    for text in ("2024-03-01", "2024-03", "2024/3/1", "31.12.2024", "12/31/2024", "2024-03-01T10:00:00Z", "9:30"):
        assert is_date(text), text
    for text in ("2024", "2024-13", "18-25", "1.5", "1-2"):
        assert not is_date(text), text


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"decimal": ";"}, "decimal is ';'; give ',' or '.'."),
        ({"thousands": "x"}, "thousands is 'x'; give one of ',', '.', ' ', \"'\", '_'."),
        ({"decimal": ",", "thousands": ","}, "decimal and thousands are both ','; one mark cannot be both."),
        (
            {"categories": "a", "numbers": ["a"]},
            "'a' is named in categories and in numbers; leave it out of one of them.",
        ),
        ({"na_values": [1]}, "na_values is [1]; give a list of texts."),
    ],
)
def test_options_that_make_no_sense_are_refused(options, sentence):
    with pytest.raises(OptionError) as error:
        reading_of(**options)
    assert str(error.value) == sentence
