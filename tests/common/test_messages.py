"""Every message of the bus: what is sent arrives, and nothing else does."""

import copy
import functools
import operator
import types
import typing
from typing import Annotated, Any, NotRequired, TypedDict

import hypothesis
import msgspec
import pytest
from hypothesis import strategies as st

from common import errors
from common.messages import Added, Id, Shape
from tests.architecture.test_rpc import EVERY_METHOD, METHODS, hints

JSON = st.recursive(st.none() | st.booleans() | st.integers(-2**31, 2**31) | st.text(max_size=8),
                    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
                    max_leaves=4)
QUICK = hypothesis.settings(max_examples=15, deadline=None, suppress_health_check=list(hypothesis.HealthCheck))
# What no message says, in place of a value: each is wrong for every type but Any and those that it is an example of.
WRONG: list[tuple[Any, set]] = [(7, {int, float}), ("text", {str}), (True, {bool}), (None, {type(None)}), ([], {list}),
                                ({}, {dict}), (1.5, {float})]


def values(kind) -> st.SearchStrategy:
    """Values of a declared type."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if typing.is_typeddict(kind):
        fields = typing.get_type_hints(kind, include_extras=True)
        optional = {n: values(typing.get_args(f)[0]) for n, f in fields.items() if typing.get_origin(f) is NotRequired}
        optional |= {n: values(f) for n, f in fields.items() if n not in optional and n not in kind.__required_keys__}
        return st.fixed_dictionaries({n: values(f) for n, f in fields.items() if n not in optional}, optional=optional)
    if origin is Annotated:
        meta = next((m for m in arguments[1:] if isinstance(m, msgspec.Meta)), None)
        if meta and meta.pattern:
            return st.from_regex(meta.pattern, alphabet=st.characters(codec="ascii"))
        if meta and meta.min_length is not None:
            return _text(min_size=meta.min_length, max_size=meta.max_length)
        return st.integers(0, 10**6) if meta and meta.ge == 0 else values(arguments[0])
    if origin in (typing.Union, types.UnionType):
        return functools.reduce(operator.or_, (values(a) for a in arguments))
    if origin is typing.Literal:
        return st.sampled_from(arguments)
    if origin is list:
        return st.lists(values(arguments[0]), max_size=2)
    if origin is dict:
        return st.dictionaries(values(arguments[0]), values(arguments[1]), max_size=2)
    return {str: _text(max_size=8), int: st.integers(-2**31, 2**31), bool: st.booleans(),
            float: st.floats(allow_nan=False, allow_infinity=False), type(None): st.none(), Any: JSON}[kind]


def _text(**sizes) -> st.SearchStrategy[str]:
    return st.text(st.characters(codec="utf-8"), **sizes)


def plain(kind) -> set:
    """The JSON types that a declared type has examples of; empty: any."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if typing.is_typeddict(kind):
        return {dict}
    if origin in (Annotated, NotRequired):
        return plain(arguments[0])
    if origin in (typing.Union, types.UnionType):
        return set().union(*map(plain, arguments))
    if origin is typing.Literal:
        return {type(a) for a in arguments}
    return set() if kind is Any else {origin or kind}


def arguments_of(method) -> dict:
    return {n: k for n, k in hints(method).items() if n in method.message_names}


def with_strangers(kind, value):
    """The value with a field more in every declared dictionary, as a newer peer would send it."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if typing.is_typeddict(kind) and isinstance(value, dict):
        fields = typing.get_type_hints(kind, include_extras=True)
        return {**{n: with_strangers(fields[n], v) for n, v in value.items()}, "of_a_newer_release": {"x": [1]}}
    if origin in (Annotated, NotRequired):
        return with_strangers(arguments[0], value)
    if origin in (typing.Union, types.UnionType):
        for one in arguments:
            value = with_strangers(one, value)
        return value
    if origin is list and isinstance(value, list):
        return [with_strangers(arguments[0], v) for v in value]
    if origin is dict and isinstance(value, dict):
        return {k: with_strangers(arguments[1], v) for k, v in value.items()}
    return value


@EVERY_METHOD
def test_what_is_sent_arrives_and_unknown_fields_are_dropped(interface, method):
    declared = arguments_of(method)

    @QUICK
    @hypothesis.given(st.fixed_dictionaries({n: values(k) for n, k in declared.items()}))
    def check(given):
        before = copy.deepcopy(given)
        assert method.read(method.message(given, method.version)) == given == before
        received = {**{n: with_strangers(k, given[n]) for n, k in declared.items()}, "argument_of_a_newer_release": 1}
        assert method.read(received) == given
    check()


@EVERY_METHOD
def test_results_arrive_and_unknown_fields_are_dropped(interface, method):
    declared = hints(method)["return"]

    @QUICK
    @hypothesis.given(values(declared))
    def check(given):
        assert method.result(given) == given
        assert method.result(with_strangers(declared, given)) == given
    check()


@EVERY_METHOD
def test_arguments_of_a_wrong_type_and_those_that_are_missing_are_refused(interface, method):
    declared = arguments_of(method)

    @QUICK
    @hypothesis.given(st.fixed_dictionaries({n: values(k) for n, k in declared.items()}))
    def check(given):
        for name, kind in declared.items():
            for wrong, types_ in WRONG:
                if plain(kind) and not types_ & plain(kind):
                    with pytest.raises(errors.InvalidMessage):
                        method.read({**given, name: wrong})
            parameter = method.signature.parameters[name]
            rest = {n: v for n, v in given.items() if n != name}
            if parameter.default is parameter.empty:
                with pytest.raises(errors.InvalidMessage):
                    method.read(rest)
            else:
                assert method.read(rest) == {**rest, name: parameter.default}
    check()


@pytest.mark.parametrize("wrong", [None, [], "text", 5, {"uuid": "../../etc/passwd"}, {"uuid": ".."}, {"uuid": "a\n"},
                                   {"uuid": ["a"]}, {1: 2}])
def test_ids_are_no_paths_and_messages_are_dictionaries(wrong):
    method = next(m for c, m in METHODS if c.topic == "conductor" and m.name == "get_instance")
    with pytest.raises(errors.InvalidMessage):
        method.read(wrong)


class _Part(TypedDict):
    name: str
    color: Annotated[str | None, Added("1.2", default=None)]


class _Whole(TypedDict):
    id: Id
    parts: list[_Part]
    sizes: Annotated[dict[str, int], Added("1.1", default={})]
    note: NotRequired[str]


def test_an_older_peer_gets_the_fields_that_it_knows_and_its_messages_get_defaults():
    shape = Shape(_Whole)
    whole = {"id": "a", "parts": [{"name": "x", "color": "red"}], "sizes": {"a": 1}, "note": "n"}
    assert shape.version == (1, 2)
    assert shape.write(whole, (1, 9)) == shape.write(whole, (1, 2)) == whole
    assert shape.write(whole, (1, 1)) == {"id": "a", "parts": [{"name": "x"}], "sizes": {"a": 1}, "note": "n"}
    oldest = shape.write(whole, (1, 0))
    assert oldest == {"id": "a", "parts": [{"name": "x"}], "note": "n"}
    assert shape.read(oldest) == {"id": "a", "parts": [{"name": "x", "color": None}], "sizes": {}, "note": "n"}
    del oldest["note"]
    first = shape.read(oldest)
    assert "note" not in first
    first["sizes"]["b"] = 2  # the default is nobody's
    assert shape.read(oldest)["sizes"] == {}


def test_faults_deep_within_are_refused():
    shape = Shape(_Whole)
    for wrong in ({"id": "a", "parts": [{}]}, {"id": "a", "parts": [{"name": 1}]}, {"id": "a", "parts": {"name": "x"}},
                  {"id": "a", "parts": [], "sizes": {"a": "1"}}, {"id": "a", "parts": [], "sizes": {"a": True}},
                  {"id": "a", "parts": [], "note": None}):
        with pytest.raises(errors.InvalidMessage) as refused:
            shape.read(wrong)
        assert refused.value.internal and str(refused.value) == errors.InvalidMessage.message
