"""Bodies of requests: consoles. Types that are not supported are valid here and refused later, as in OpenStack."""

from common import schema

_PROTOCOLS = ["vnc", "spice", "serial", "rdp"]
_TYPES = ["novnc", "xvpvnc", "spice-html5", "serial", "rdp-html5"]


def _create(protocols: list[str], types: list[str]) -> dict:
    return schema.wrapped("remote_console", {"protocol": {"enum": protocols}, "type": {"enum": types}}, ("protocol", "type"))


# By the first microversion.
CREATE = {(2, 6): _create(_PROTOCOLS, _TYPES), (2, 8): _create([*_PROTOCOLS, "mks"], [*_TYPES, "webmks"]),
          (2, 99): _create([*_PROTOCOLS, "mks"], [*_TYPES, "webmks", "spice-direct"])}


def _action(*types: str) -> dict:
    return schema.obj({"type": {"enum": list(types)}}, ["type"])


ACTIONS = {"os-getVNCConsole": _action("novnc", "xvpvnc"), "os-getSPICEConsole": _action("spice-html5"),
           "os-getSerialConsole": _action("serial")}
