"""RPC interfaces: each method is declared once, for the client and the server.

An interface is a class of ``rpcapi.py``; its methods are signatures::

    class ConductorAPI(Client):
        topic = "conductor"
        history = {"1.0": "...", "1.1": "..."}

        @call(timeout_s=15)
        def get_instance(self, ctx, uuid: Id) -> Instance | None:
            \"\"\"An instance with block devices, or None where it is gone.\"\"\"

The annotations of arguments and result are the shapes of the messages (see ``common.messages``); an argument with a default may
be missing. The server's manager has a method of the same name, which takes the declared arguments.
"""

import functools
import inspect
import typing
from typing import Annotated

from common import errors
from common.messages import Added, Shape, Version, parse_version

F = typing.TypeVar("F", bound=typing.Callable)


class Method:
    """A method of an interface.

    ``kind`` is "call" or "cast"; ``timeout_s`` the timeout of a call, or the name of the argument that sets it; ``to`` the name
    of the argument with the target host, None if any server may answer; ``fanout``: without that argument, the cast goes to all
    servers; ``since`` the version that introduced the method, ``older`` the name of the method with the same arguments that older
    servers have instead; ``version`` the version that introduced the newest part of its message.
    """

    def __init__(self, function, kind: str, *, timeout_s: float | str | None = None, to: str | None = None,
                 fanout: bool = False, since: str = "1.0", older: str | None = None):
        self.older = older
        self.name, self.kind, self.timeout_s, self.to, self.fanout = function.__name__, kind, timeout_s, to, fanout
        self.since = parse_version(since)
        self.signature = inspect.signature(function)
        hints = typing.get_type_hints(function, include_extras=True)
        fields = {}
        for name, parameter in list(self.signature.parameters.items())[2:]:  # after self and ctx
            if name not in (to, timeout_s):
                fields[name] = _field(hints[name], parameter)
        self.message_names = tuple(fields)
        self._arguments = Shape(typing.TypedDict(self.name, fields))  # type: ignore[operator]  # made at run time
        self._result = Shape(hints["return"])
        self.version = max(self.since, self._arguments.version)

    def bind(self, *args, **kwargs) -> dict:
        """{argument: value} of a call to the client's method."""
        bound = self.signature.bind(*args, **kwargs)
        bound.apply_defaults()
        return bound.arguments

    def timeout(self, arguments: dict) -> float | None:
        """The timeout of a call in seconds; None: a cast."""
        return arguments[self.timeout_s] if isinstance(self.timeout_s, str) else self.timeout_s

    def message(self, arguments: dict, version: Version) -> dict:
        """The arguments in the form that a server of ``version`` understands.

        :raises InvalidMessage: they do not match the declaration
        """
        return self._arguments.write(arguments, version)

    def read(self, arguments) -> dict:
        """The arguments of a received message. :raises InvalidMessage: they do not match the declaration"""
        return self._arguments.read(arguments)

    def answer(self, value):
        """A result to be sent. :raises InvalidMessage: it does not match the declaration"""
        return self._result.write(value, self._result.version)

    def result(self, value):
        """A received result. :raises InvalidMessage: it does not match the declaration"""
        return self._result.read(value)


def _field(hint, parameter: inspect.Parameter):
    """The type of an argument, with its default."""
    if parameter.default is inspect.Parameter.empty:
        return hint
    notes = getattr(hint, "__metadata__", ())
    since = next((note.version for note in notes if isinstance(note, Added)), "1.0")
    others = [note for note in notes if not isinstance(note, Added)]
    base = typing.get_args(hint)[0] if notes else hint
    return Annotated[(base, *others, Added(since, default=parameter.default))]


def call(*, timeout_s: float | str, to: str | None = None, since: str = "1.0",
         older: str | None = None) -> typing.Callable[[F], F]:
    """Declare a method that returns a result. See ``Method``."""
    return functools.partial(_declare, kind="call", timeout_s=timeout_s, to=to, since=since, older=older)


def cast(*, to: str | None = None, fanout: bool = False, since: str = "1.0",
         older: str | None = None) -> typing.Callable[[F], F]:
    """Declare a method without a result. See ``Method``."""
    return functools.partial(_declare, kind="cast", to=to, fanout=fanout, since=since, older=older)


def _declare(function, **options):
    method = Method(function, **options)

    @functools.wraps(function)
    def send(client, ctx, *args, **kwargs):
        return client.send(method, ctx, method.bind(client, ctx, *args, **kwargs))
    send.rpc = method  # type: ignore[attr-defined]
    return send


def methods_of(cls: type) -> dict[str, Method]:
    """{name: declared method} of an interface."""
    return {name: value.rpc for base in reversed(cls.__mro__) for name, value in vars(base).items() if hasattr(value, "rpc")}


def check_known(method: Method, version: Version, part: str) -> None:
    """:raises ServiceTooOld: a server of ``version`` does not have the method"""
    if method.since > version:
        raise errors.ServiceTooOld(part=part, internal=f"{method.name} came with version {method.since}, pinned is {version}")
