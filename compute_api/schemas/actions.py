"""Bodies of requests: actions."""

from common import schema, server_states
from compute_api.schemas import consoles
from compute_api.schemas.evacuate import SCHEMA as EVACUATE
from compute_api.schemas.migrations import MIGRATE, RESIZE
from compute_api.schemas.rebuild import SCHEMA as REBUILD
from compute_api.schemas.rescue import SCHEMA as RESCUE
from compute_api.schemas.server_migrations import MIGRATE_LIVE
from compute_api.schemas.shelving import UNSHELVE

NAME = {"type": "string", "minLength": 1, "maxLength": 255}
IP = {"anyOf": [{"type": "string", "format": "ipv4"}, {"type": "string", "format": "ipv6"}]}
NOTHING = {"type": ["object", "null", "string"], "maxProperties": 0, "maxLength": 0}
GROUP = schema.obj({"name": {"type": "string", "minLength": 1, "maxLength": 255}}, ["name"])
SCHEMAS = {
    "os-start": NOTHING, "os-stop": NOTHING, "reboot": schema.obj({"type": {"enum": ["SOFT", "HARD", "Soft", "Hard",
                                                                                     "soft", "hard"]}}, ["type"]),
    "pause": NOTHING, "unpause": NOTHING, "suspend": NOTHING, "resume": NOTHING,
    "os-getConsoleOutput": {"type": ["object", "null"], "properties": {
        "length": schema.integer(-1, null=True)}, "additionalProperties": False},
    **consoles.ACTIONS,
    "lock": {"type": ["object", "null"], "additionalProperties": False, "properties": {
        "locked_reason": {"type": "string", "minLength": 1, "maxLength": 255}}},
    "unlock": {"type": ["object", "null"], "maxProperties": 0},
    "addSecurityGroup": GROUP, "removeSecurityGroup": GROUP,
    "addFloatingIp": schema.obj({"address": IP, "fixed_address": IP}, ["address"]),
    "removeFloatingIp": schema.obj({"address": IP}, ["address"]),
    "addFixedIp": schema.obj({"networkId": {"type": ["string", "integer"], "maxLength": 36}}, ["networkId"]),
    "removeFixedIp": schema.obj({"address": IP}, ["address"]),
    "createBackup": schema.obj({
        "name": NAME, "metadata": schema.METADATA, "backup_type": NAME, "rotation": schema.integer()},
        ["name", "backup_type", "rotation"]),
    "createImage": schema.obj({"name": NAME, "metadata": schema.METADATA}, ["name"]),
    "rescue": RESCUE, "unrescue": NOTHING, "rebuild": REBUILD,
    "evacuate": EVACUATE, "changePassword": schema.obj({"adminPass": {"type": "string", "maxLength": 255}}, ["adminPass"]),
    "trigger_crash_dump": {"type": "null"},
    "migrate": MIGRATE, "os-migrateLive": MIGRATE_LIVE, "resize": RESIZE, "confirmResize": NOTHING, "revertResize": NOTHING,
    "shelve": NOTHING, "shelveOffload": NOTHING, "unshelve": UNSHELVE,
    "forceDelete": {"type": ["object", "null", "string"]}, "restore": {"type": ["object", "null", "string"]},
    "injectNetworkInfo": NOTHING,
    "os-resetState": schema.obj({"state": {"enum": [server_states.ACTIVE, server_states.ERROR]}}, ["state"]),
}
