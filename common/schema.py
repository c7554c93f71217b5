"""JSON Schema validation of request bodies, and shared schema parts.

Differs from plain JSON Schema in three ways: ``pattern`` (and the names of ``patternProperties``) must match the whole text;
``1.0`` is not an ``integer``; and ``integer()`` also accepts a string of digits, which the handler receives as a number within
the same bounds.
"""

import copy
import re
import typing

import jsonschema

from common import errors, values

FORMATS = jsonschema.FormatChecker(formats=())
for _format, _parse in {
        "ip-address": values.ip_address, "ip-network": values.ip_network, "mac-address": values.mac_address,
        "host-name": values.host_name, "uuid": values.uuid, "identifier": values.identifier, "date-time": values.moment,
        "line": lambda raw, what: values.text(raw, what, longest=1 << 20), "name": values.name,
        "ipv4": lambda raw, what: values.ip_address(raw, what, version=4),
        "ipv6": lambda raw, what: values.ip_address(raw, what, version=6),
        # A prefix that may have host bits, as in security group rules.
        "ip-prefix": lambda raw, what: values.ip_network(raw, what, host_bits=True)}.items():
    FORMATS.checks(_format, raises=errors.BadRequest)(
        lambda value, parse=_parse: not isinstance(value, str) or parse(value, "format") is not None)

UUID = {"type": "string", "format": "uuid"}
# Printable and not blank: what OpenStack accepts as a name.
NAME = {"type": "string", "minLength": 1, "maxLength": 255, "format": "name"}
TEXT = {"type": ["string", "null"], "maxLength": 255}
LONG_TEXT = {"type": ["string", "null"], "maxLength": 65535}
BOOLEAN = {"enum": [True, False, "True", "False", "true", "false", "1", "0", "on", "off", "yes", "no", "TRUE", "FALSE"]}
# Quotas limit the number of items; this bounds the work of validation.
METADATA = {"type": "object", "maxProperties": 1000,
            "patternProperties": {r"[a-zA-Z0-9\-_:. /]{1,255}": {"type": "string", "maxLength": 255}},
            "additionalProperties": False}


def integer(low: int = 0, high: int = values.INT32, *, null: bool = False) -> dict:
    """An integer within bounds, or a string of digits; the handler receives an int."""
    return {"type": ["integer", "null"] if null else "integer", "minimum": low, "maximum": high, "digits": True}


def obj(properties: dict, required: tuple | list = (), *, extra: bool = False) -> dict:
    """An object schema; unknown keys are refused unless ``extra``."""
    return {"type": "object", "properties": properties, "required": list(required), "additionalProperties": extra}


def wrapped(name: str, properties: dict, required: tuple | list = (), *, extra: bool = False) -> dict:
    """The usual body: one key that holds the resource."""
    return obj({name: obj(properties, required, extra=extra)}, [name], extra=False)


def _pattern(validator, pattern, instance, schema):
    if isinstance(instance, str) and not re.fullmatch(pattern, instance):
        yield jsonschema.ValidationError(f"{instance!r} does not match {pattern!r}")


def _properties(validator, properties, instance, schema):
    """As usual, after strings of digits have been converted to numbers."""
    if isinstance(instance, dict):
        for name, subschema in properties.items():
            given = instance.get(name)
            if isinstance(given, str) and isinstance(subschema, dict) and subschema.get("digits") and \
                    re.fullmatch("-?[0-9]{1,20}", given):
                instance[name] = int(given)
    yield from jsonschema.Draft202012Validator.VALIDATORS["properties"](validator, properties, instance, schema)


def _any_of(validator, choices, instance, schema):
    """As usual, but each alternative stops at its first error, so that a large list is not validated completely."""
    if not any(validator.evolve(schema=choice).is_valid(instance) for choice in choices):
        yield jsonschema.ValidationError(f"{instance!r} is not valid under any of the given schemas")


def _one_of(validator, choices, instance, schema):
    fitting = [choice for choice in choices if validator.evolve(schema=choice).is_valid(instance)]
    if not fitting:
        yield jsonschema.ValidationError(f"{instance!r} is not valid under any of the given schemas")
    elif len(fitting) > 1:
        yield jsonschema.ValidationError(f"{instance!r} is valid under each of {', '.join(map(repr, fitting))}")


_Validator = jsonschema.validators.extend(
    jsonschema.Draft202012Validator, {"pattern": _pattern, "properties": _properties, "anyOf": _any_of, "oneOf": _one_of},
    type_checker=jsonschema.Draft202012Validator.TYPE_CHECKER.redefine(
        "integer", lambda checker, found: isinstance(found, int) and not isinstance(found, bool)))


# Bounds are checked first: validation stops at the first error.
_BOUNDS = ("type", "maxItems", "maxProperties", "maxLength")


def _prepared(part):
    """A copy of a schema with the bounds first, and anchored names of patternProperties."""
    if isinstance(part, list):
        return [_prepared(p) for p in part]
    if not isinstance(part, dict):
        return copy.copy(part)
    names = part.get("patternProperties")
    found = {k: _prepared(part[k]) for k in sorted(part, key=lambda k: k not in _BOUNDS)}
    if isinstance(names, dict):
        found["patternProperties"] = {rf"\A(?:{k})\Z": _prepared(v) for k, v in names.items()}
    return found


def compiled(json_schema: dict) -> typing.Callable[[typing.Any], None]:
    """A function that validates a document, raising BadRequest with the path and reason of the first error, and converts digits.
    """
    checker = _Validator(_prepared(json_schema), format_checker=FORMATS)

    def validate(document) -> None:
        fault = next(checker.iter_errors(document), None)
        if fault is None:
            return
        where = "/".join(str(p) for p in fault.absolute_path) or "body"
        text = fault.message if len(fault.message) < 300 else fault.message[:300] + "…"
        raise errors.BadRequest(f"Invalid input for field/attribute {where}. {text}")
    validate.schema = json_schema  # type: ignore[attr-defined]  # for the generator of requests in tests
    return validate
