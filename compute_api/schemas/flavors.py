"""Bodies of requests: flavors."""

from common import schema

INT = schema.integer()
POSITIVE_INT = schema.integer(1)
TEXT = {"type": ["string", "null"], "maxLength": 65535}
CREATE = schema.obj({"flavor": schema.obj({
    "name": schema.NAME, "ram": POSITIVE_INT, "vcpus": POSITIVE_INT, "disk": INT,
    "id": {"type": ["string", "integer", "null"], "maxLength": 255, "pattern": "(?! )[a-zA-Z0-9. _-]+(?<! )"},
    "OS-FLV-EXT-DATA:ephemeral": INT, "swap": {"anyOf": [INT, {"enum": [""]}], "digits": True},
    "rxtx_factor": {"type": ["number", "string"], "pattern": r"[0-9]{1,10}(\.[0-9]{1,10})?", "exclusiveMinimum": 0},
    "os-flavor-access:is_public": schema.BOOLEAN, "description": TEXT}, ["name", "ram", "vcpus", "disk"])}, ["flavor"])
SPECS = {"type": "object", "maxProperties": 128, "additionalProperties": False, "patternProperties": {
    r"[a-zA-Z0-9-_:. ]{1,255}": {"type": ["string", "number", "boolean"], "maxLength": 255}}}
UPDATE = schema.wrapped("flavor", {"description": TEXT}, ("description",))
TENANT = schema.obj({"tenant": schema.NAME}, ["tenant"])
ACCESS_CHANGE = {"oneOf": [schema.obj({"addTenantAccess": TENANT}, ["addTenantAccess"]),
                           schema.obj({"removeTenantAccess": TENANT}, ["removeTenantAccess"])]}
SPECS_ADD = schema.obj({"extra_specs": {**SPECS, "minProperties": 1}}, ["extra_specs"])
SPEC_SET = {**SPECS, "minProperties": 1, "maxProperties": 1}
