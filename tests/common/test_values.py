"""What enters: canonical forms out, BadRequest for all else."""

import datetime

import pytest

from common import errors, schema, values

GOOD = [
    (values.ip_address, "FE80::0:1", "fe80::1"), (values.ip_address, "10.0.0.1", "10.0.0.1"),
    (values.ip_network, "10.0.0.0/255.255.255.0", "10.0.0.0/24"), (values.ip_network, "FD00::/64", "fd00::/64"),
    (values.mac_address, "FA-16-3E-00-00-01", "fa:16:3e:00:00:01"), (values.mac_address, "fa16.3e00.0001", "fa:16:3e:00:00:01"),
    (values.host_name, "Web-1.Example.org.", "web-1.example.org"), (values.integer, "80", "80"),
    (values.uuid, "AAAAAAAABBBB4CCC8DDDEEEEEEEEEEEE", "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee"),
    (values.identifier, "a" * 64, "a" * 64), (values.name, "ваза 1", "ваза 1"), (values.boolean, "yes", "True"),
    (values.moment, "2026-01-01T00:00:00+02:00", "2025-12-31 22:00:00")]
SURROGATE = "\ud800"
BAD = {
    values.ip_address: ["fe80::1%1", "fe80::1%1 -j RETURN\n-I INPUT 1 -j ACCEPT\n#", "10.0.0.1\n", "10.0.0.1/32", "010.0.0.1", "",
                        " 10.0.0.1", "²", 5, None, SURROGATE, "10.0.0.0\x00"],
    values.ip_network: ["fe80::1%1/128", "10.0.0.5/24", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/24\n", "10.0.0.0/²", 5, None,
                        "/", "a/b"],
    values.mac_address: ["fa:16:3e:00:00:01\n", "01:00:5e:00:00:01", "00:00:00:00:00:00", "fa:16:3e:00:00",
                         "fa:16-3e:00:00:01", 1, SURROGATE],
    values.host_name: ["a b", "-a", "a-", "a..b", "a\n", "é", "a" * 64, ".".join(["a" * 60] * 5), "", None, "a_b", SURROGATE],
    values.integer: ["²", "1\n", " 1", "1.0", "0x1", "", 1.0, True, None, 1 << 31, -1, "9" * 5000, "٣", [], SURROGATE],
    values.uuid: ["x", "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee\n", "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee?", None, 5, SURROGATE],
    values.identifier: ["", "..", ".", "a/b", "a?b", "a#b", "a%2e", "a\n", "a" * 65, None],
    values.name: ["", "  ", "a\x00", "a\n", "a\u2028b", SURROGATE, "a" * 256, 5, None, "\x1b[31m", "\ufffe"],
    values.text: ["\x00", "a\tb", SURROGATE, 5], values.boolean: ["maybe", SURROGATE, [], {}, 2, 1.5],
    values.moment: ["0001-01-01T00:00:00+23:00", "9999-12-31T23:59:59-23:00", "2026-13-01", "now", "", None, 5, SURROGATE,
                    "2026-01-01\x00"]}


@pytest.mark.parametrize(("parse", "raw", "expected"), GOOD, ids=lambda v: getattr(v, "__name__", None))
def test_canonical(parse, raw, expected):
    assert str(parse(raw, "field")) == expected


@pytest.mark.parametrize(("parse", "raw"), [(p, r) for p, raws in BAD.items() for r in raws],
                         ids=lambda v: getattr(v, "__name__", None) or ascii(v))
def test_refused_by_name(parse, raw):
    with pytest.raises(errors.BadRequest, match="field") as caught:
        parse(raw, "field")
    caught.value.public.encode()


def test_variants():
    assert str(values.ip_network("10.0.0.5/24", "x", host_bits=True)) == "10.0.0.0/24"
    assert values.text("a\n\tb", "x", lines=True) == "a\n\tb"
    assert values.moment("2026-01-01", "x") == datetime.datetime(2026, 1, 1)
    for parse, raw, bound in ((values.ip_address, "::1", {"version": 4}), (values.ip_network, "10.0.0.0/8", {"version": 6}),
                              (values.host_name, "a.b", {"dots": False})):
        with pytest.raises(errors.BadRequest):
            parse(raw, "x", **bound)
    with pytest.raises(errors.BadRequest, match="'10.0.0.0/24' is recommended"):
        values.ip_network("10.0.0.5/24", "cidr")


CHECK = schema.compiled(schema.obj({
    "number": schema.integer(1, 65535, null=True), "id": schema.UUID, "name": schema.NAME, "word": {"type": "string",
    "pattern": "[a-z]*"},
    "ip": {"type": "string", "format": "ipv6"}, "meta": schema.METADATA}))


def test_digits_become_numbers_within_the_same_bounds():
    body = {"number": "80"}
    CHECK(body)
    assert body == {"number": 80}


@pytest.mark.parametrize("body", [
    {"number": "98998"}, {"number": "0"}, {"number": 0}, {"number": "²"}, {"number": "1\n"}, {"number": 1.0}, {"number": True},
    {"number": "9" * 30}, {"id": "x"}, {"name": "a\n"}, {"word": "a\n"}, {"word": "1"}, {"ip": "fe80::1%1"}, {"ip": "10.0.0.1"},
    {"meta": {"a\n": "b"}}, {"meta": {"a" * 256: "b"}}], ids=ascii)
def test_schemas_match_whole_values(body):
    with pytest.raises(errors.BadRequest):
        CHECK(body)
