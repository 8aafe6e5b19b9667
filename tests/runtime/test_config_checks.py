"""Entries of a config.json from a stranger: what passes, and faults listed together."""

import math

import pytest

from emotion_rppg.errors import InputError
from emotion_rppg.runtime import config_checks as checks

RULES = {
    "number": (checks.number(1, 240), [1, 30.0, 240], [0, 1e9, math.nan, math.inf, "30", True]),
    "integer": (checks.integer(16, 512), [16, 32.0], [31.5, -1, 10**9, True, None, [32]]),
    "one of": (checks.one_of((1, -1)), [1, -1.0], [0, "1", True, [1], {}]),
    "name": (checks.one_of(("a", "b")), ["a"], ["c", ["a"], None, 1]),
    "text": (checks.text(), ["", "a"], [1, None, ["a"]]),
    "texts": (checks.texts(2), [[], ["a", "b"]], ["ab", ["a", "a"], ["a", "b", "c"], [1], None]),
    "mapping": (checks.mapping(), [{}, {"a": 1}], [[], None, "a"]),
    "or null": (checks.or_null(checks.text()), [None, "a"], [1]),
    "people": (checks.people(), ["unknown", {"a": ["1", "2"]}], [7, {"a": 3}, {"a": [1]}, None]),
    "known": (checks.people(unknown=False), [{"a": ["1"]}], ["unknown"]),
    "options": (
        checks.network_options(),
        [{}, {"width": 64, "strides": [4, 4, 2], "cell": "lstm", "feedback": True, "x": None}],
        [
            *([], None, {"width": 10**6}, {"hidden": -(10**6)}, {"a": math.nan}),
            *({"a": [1] * 65}, {"a": {}}, {"strides": [10**6]}),
        ],
    ),
}


@pytest.mark.parametrize("name", RULES)
def test_a_rule_accepts_what_it_says_and_nothing_else(name) -> None:
    rule, accepted, refused = RULES[name]
    assert [value for value in accepted if not rule.holds(value)] == []
    assert [value for value in refused if rule.holds(value)] == []


def test_all_faults_are_in_one_sentence_and_long_values_are_cut() -> None:
    rules = {
        **{"a": checks.text(), "b": checks.text(optional=True), "c": checks.number(0, 1)},
        **{"d": checks.or_null(checks.text()), "e": checks.text()},
    }
    with pytest.raises(InputError) as refused:
        checks.check_entries({"c": 2, "e": ["x"] * 1000}, rules, "config.json in 'm'")
    message = str(refused.value)
    assert "config.json in 'm' cannot be used: it lacks a; it has c 2, want a number" in message
    assert "it has e ['x'" in message
    assert len(message) < 300
    checks.check_entries({"a": "", "c": 1, "e": ""}, rules, "")
