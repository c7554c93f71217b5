"""Bodies of requests: attachments."""

from common import schema

NAME = {"type": ["string", "null"], "maxLength": 255, "format": "line"}
# What drivers and rows use of a connector; the rest is for storage of other kinds. Names of initiators: RFC 3720, 3.2.6.
CONNECTOR = {"type": ["object", "null"], "maxProperties": 32, "properties": {
    "host": NAME, "mountpoint": NAME,
    "initiator": {"type": ["string", "null"], "pattern": "([A-Za-z0-9][A-Za-z0-9.:_-]{0,222})?"}}}
CREATE = schema.obj({"attachment": schema.obj({
    "volume_uuid": schema.UUID, "instance_uuid": {"oneOf": [schema.UUID, {"type": "null"}]},
    "connector": CONNECTOR, "mode": {"enum": ["rw", "ro", None]}}, ["volume_uuid"])}, ["attachment"])
UPDATE = schema.obj({"attachment": schema.obj({"connector": {**CONNECTOR, "type": "object"}}, ["connector"])},
                    ["attachment"])
COMPLETE = schema.obj({"os-complete": {"type": ["object", "null", "string"]}}, ["os-complete"])
