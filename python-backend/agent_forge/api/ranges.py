"""What pydantic says about a wrong value, as the allowed values or range in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def allowed_in_words(kind: str, context: Mapping[str, Any]) -> str | None:
    """None where pydantic's message says all there is to say."""
    match kind:
        case "greater_than_equal":
            return f"{context['ge']} or more"
        case "greater_than":
            return f"more than {context['gt']}"
        case "less_than_equal":
            return f"{context['le']} or less"
        case "less_than":
            return f"less than {context['lt']}"
        case "literal_error" | "enum":
            return f"one of {context['expected'].replace(' or ', ', ')}".replace("'", "")
        case "string_pattern_mismatch":
            return f"text that matches {context['pattern']}"
        case "string_too_short" | "too_short":
            return f"at least {context['min_length']} long"
        case "string_too_long" | "too_long":
            return f"at most {context['max_length']} long"
        case "extra_forbidden":
            return "only documented fields"
        case "missing":
            return "a value, which is required"
        case "int_type" | "int_parsing" | "int_from_float":
            return "a whole number"
        case "float_type" | "float_parsing":
            return "a number"
        case "finite_number":
            return "a finite number"
        case "bool_type" | "bool_parsing":
            return "true or false"
        case "string_type":
            return "text"
        case "list_type":
            return "a list"
        case _:
            return None
