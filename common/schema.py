"""JSON Schema checks of request bodies, and the pieces that schemas share."""

import typing

import jsonschema

from common import errors

UUID = {"type": "string", "pattern": "^[0-9a-fA-F]{8}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{12}$"}
# Printable, not only blanks: what OpenStack accepts as the name of a thing.
NAME = {"type": "string", "minLength": 1, "maxLength": 255, "pattern": r"^(?=.*\S)[^\x00-\x1f\x7f]*$"}
TEXT = {"type": ["string", "null"], "maxLength": 255}
LONG_TEXT = {"type": ["string", "null"], "maxLength": 65535}
BOOLEAN = {"enum": [True, False, "True", "False", "true", "false", "1", "0", "on", "off", "yes", "no", "TRUE", "FALSE"]}
# How many is a matter of quota; this only bounds the work.
METADATA = {"type": "object", "maxProperties": 1000,
            "patternProperties": {r"^[a-zA-Z0-9\-_:. /]{1,255}$": {"type": "string", "maxLength": 255}},
            "additionalProperties": False}


def obj(properties: dict, required: tuple | list = (), *, extra: bool = False) -> dict:
    """An object schema; unknown keys are refused unless ``extra``."""
    return {"type": "object", "properties": properties, "required": list(required), "additionalProperties": extra}


def wrapped(name: str, properties: dict, required: tuple | list = (), *, extra: bool = False) -> dict:
    """The usual body: one key that holds the resource."""
    return obj({name: obj(properties, required, extra=extra)}, [name], extra=False)


def compiled(json_schema: dict) -> typing.Callable[[typing.Any], None]:
    """A function that raises BadRequest with the path and reason of the first fault."""
    checker = jsonschema.Draft202012Validator(json_schema, format_checker=jsonschema.FormatChecker())

    def validate(document) -> None:
        fault = next(checker.iter_errors(document), None)
        if fault is None:
            return
        where = "/".join(str(p) for p in fault.absolute_path) or "body"
        text = fault.message if len(fault.message) < 300 else fault.message[:300] + "…"
        raise errors.BadRequest(f"Invalid input for field/attribute {where}. {text}")
    return validate
