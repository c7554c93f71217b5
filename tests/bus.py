"""An RPC client whose server is a manager in the same process: messages as they go over the bus, without a bus."""

import json

from common.messages import Version, parse_version
from common.rpc import Client


class Direct:
    """Calls and casts of an interface, answered at once.

    :param version: of the older of both sides
    """

    def __init__(self, interface: type[Client], manager, version: Version | None = None):
        self._interface, self._manager = interface, manager
        self._version = version or parse_version(interface.version)

    def __getattr__(self, name: str):
        method = self._interface.methods[name]

        def send(ctx, *args, **kwargs):
            message = json.dumps(method.message(method.bind(self, ctx, *args, **kwargs), self._version))
            answer = method.answer(getattr(self._manager, name)(ctx, **method.read(json.loads(message))))
            return method.result(json.loads(json.dumps(answer)))
        return send
