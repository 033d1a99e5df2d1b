"""JSON that clients send.

Python takes more than JSON: it reads `NaN`, and writes `Infinity` for numbers that are too large.
Deep documents end in a RecursionError. All of them are refused here, so that a report that repeats
what a client has sent is always JSON.
"""

import json
import math

#: Deepest nesting of arrays and objects.
DEPTH = 100


def number(text):
    """Parses a number with a fraction or an exponent; raises ValueError if it is infinite."""
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("the number is too large")
    return value


def constant(text):
    """Refuses `NaN` and `Infinity`."""
    raise ValueError(f"{text} is not JSON")


def parse(text):
    """Parses JSON, as text or bytes; raises ValueError."""
    if isinstance(text, bytes):
        text = text.decode(json.detect_encoding(text))
    depth = 0
    # Brackets in strings count as well, which is close enough.
    for character in text:
        depth += (character in "[{") - (character in "]}")
        if depth > DEPTH:
            raise ValueError("the document is too deep")
    return json.loads(text, parse_float=number, parse_constant=constant)


def parse_object(body):
    """Returns the JSON object in a body, or None."""
    try:
        document = parse(body)
    except ValueError:
        return None
    return document if isinstance(document, dict) else None
