"""What the pieces of a task's schema let through, and what they refuse."""

from typing import Any

import jsonschema
import pytest

from mirtrim.tasks.schema import array, choice, dropout, integer, number, positive, switch


@pytest.mark.parametrize(
    ("schema", "right", "wrong"),
    [
        (integer("x"), [1, 7], [0, -1, 1.5, "1", None]),
        (integer("x", minimum=0, maximum=2), [0, 2], [-1, 3]),
        (number("x"), [-1.5, 0, 3], ["1", None]),
        (number("x", minimum=0), [0, 0.5], [-0.5]),
        (positive("x"), [0.001, 2], [0, -1]),
        # Nothing is zeroed, or some of it; a network of which all is zeroed learns nothing.
        (dropout("x", 0.25), [0, 0.25, 0.999], [-0.01, 1, 1.5]),
        (choice("x", "a", "b"), ["a", "b"], ["c", None]),
        (switch("x", True), [True, False], [1, "yes"]),
        (array("x", {"type": "integer"}, minItems=2), [[1, 2]], [[1], [1, "2"], 3]),
    ],
)
def test_limits(schema: dict[str, Any], right: list[Any], wrong: list[Any]) -> None:
    validator = jsonschema.Draft202012Validator(schema)
    assert [value for value in right if not validator.is_valid(value)] == []
    assert [value for value in wrong if validator.is_valid(value)] == []


def test_a_key_without_a_default_must_be_configured() -> None:
    assert "default" not in integer("x") | number("x") | positive("x") | array("x", {})
    assert integer("x", 3)["default"] == 3
    assert number("x", 0.0)["default"] == 0.0
    assert positive("x", 2.0)["default"] == 2.0
    assert dropout("x", 0.5)["default"] == 0.5
    assert choice("x", "a", "b")["default"] == "a"
    assert switch("x", False)["default"] is False
