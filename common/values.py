"""Parsers for values from clients: each returns the canonical form.

All take ``(raw, what)``, where ``what`` names the field to the client, and raise BadRequest for a value of the wrong type or out
of bounds. Use and store the result, never the raw value. The JSON Schema formats with the same names are in ``common.schema``;
ids in URLs go through ``common.rest.path``.
"""

import datetime
import hmac
import ipaddress
import re
import uuid as uuid_module

from common import errors

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

# The maximum of INTEGER, and of BIGINT, in every database.
INT32, INT64 = (1 << 31) - 1, (1 << 63) - 1
# Lone surrogates cannot be encoded, NUL and U+FFFE cannot be stored or written as XML, other control characters affect terminals.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
# Characters that end a line in some program.
_LINE_ENDS = re.compile("[\t\n\r\x80-\x9f\u2028\u2029]")
_INTEGER = re.compile(r"-?[0-9]{1,20}")
_MAC = re.compile(r"[0-9a-f]{2}(?:([:-])[0-9a-f]{2})(?:\1[0-9a-f]{2}){4}|(?:[0-9a-f]{4}\.){2}[0-9a-f]{4}|[0-9a-f]{12}")
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_UUID = re.compile(r"[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}")
_IDENTIFIER = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_TRUE, _FALSE = ("1", "t", "true", "on", "y", "yes", ""), ("0", "f", "false", "off", "n", "no", "none")


def _shown(raw) -> str:
    """The value for an error message: shortened, and encodable."""
    found = ascii(raw) if isinstance(raw, str) and _UNPRINTABLE.search(raw) else repr(raw)
    found = found.encode("utf-8", "replace").decode()
    return found if len(found) <= 100 else found[:100] + "…"


def invalid(what: str, raw, reason: str) -> errors.BadRequest:
    return errors.BadRequest(f"Invalid input for {what}. Reason: {_shown(raw)} {reason}.")


def unprintable(raw: str) -> bool:
    """Whether the text has a character that no field may contain. Newlines and tabs are allowed."""
    return _UNPRINTABLE.search(raw) is not None


def same_secret(given: str, known: str) -> bool:
    """Compare secrets in constant time."""
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), known.encode("utf-8", "surrogatepass"))


def text(raw, what: str, *, shortest: int = 0, longest: int = 255, lines: bool = False) -> str:
    """Text without control characters; with ``lines`` it may have newlines and tabs."""
    if not isinstance(raw, str):
        raise invalid(what, raw, "is not a string")
    if not shortest <= len(raw) <= longest:
        raise invalid(what, raw, f"has {len(raw)} characters, not between {shortest} and {longest}")
    if unprintable(raw) or not lines and _LINE_ENDS.search(raw):
        raise invalid(what, raw, "has control characters or is not valid Unicode")
    return raw


def name(raw, what: str, *, longest: int = 255) -> str:
    """One line of text, not blank."""
    found = text(raw, what, shortest=1, longest=longest)
    if not found.strip():
        raise invalid(what, raw, "is blank")
    return found


def integer(raw, what: str, low: int = 0, high: int = INT32) -> int:
    """An integer, or a string of ASCII digits."""
    if isinstance(raw, str) and _INTEGER.fullmatch(raw):
        raw = int(raw)
    if not isinstance(raw, int) or isinstance(raw, bool):
        raise invalid(what, raw, "is not an integer")
    if not low <= raw <= high:
        raise invalid(what, raw, f"is not between {low} and {high}")
    return raw


def boolean(raw, what: str) -> bool:
    """A boolean, as spelled in OpenStack's bodies and queries."""
    if isinstance(raw, bool):
        return raw
    word = str(raw).strip().lower() if isinstance(raw, (str, int)) else None
    if word not in (*_TRUE, *_FALSE):
        raise invalid(what, raw, "is not a boolean")
    return word in _TRUE


def uuid(raw, what: str) -> str:
    """A UUID with or without dashes, as lower case with dashes."""
    if not is_uuid(raw):
        raise invalid(what, raw, "is not a valid UUID")
    return str(uuid_module.UUID(raw))


def is_uuid(raw) -> bool:
    return isinstance(raw, str) and _UUID.fullmatch(raw.lower()) is not None


def identifier(raw, what: str) -> str:
    """An id of any service (those of users and projects have no dashes): letters, digits, ``_``, ``.`` and ``-``."""
    if not isinstance(raw, str) or not _IDENTIFIER.fullmatch(raw) or raw in (".", ".."):
        raise invalid(what, raw, "is not a valid id")
    return raw


def moment(raw, what: str) -> datetime.datetime:
    """A time in ISO 8601 (UTC unless it has a zone), as stored: UTC without a zone."""
    try:
        found = datetime.datetime.fromisoformat(text(raw, what, longest=64))
        return found.astimezone(datetime.timezone.utc).replace(tzinfo=None) if found.tzinfo else found
    except (ValueError, OverflowError):
        raise invalid(what, raw, "is not a 'date-time'") from None


def ip_address(raw, what: str, *, version: int | None = None) -> IPAddress:
    """An address without a zone (``%eth0``); ``str()`` of it is canonical.

    :param version: 4 or 6, to refuse the other
    """
    try:
        if not isinstance(raw, str) or "%" in raw:
            raise ValueError
        found = ipaddress.ip_address(raw)
    except ValueError:
        raise invalid(what, raw, "is not a valid IP address") from None
    if version not in (None, found.version):
        raise invalid(what, raw, f"is not an IPv{version} address")
    return found


def ip_network(raw, what: str, *, version: int | None = None, host_bits: bool = False) -> IPNetwork:
    """A prefix, or one address as the prefix of it alone; ``str()`` of it is canonical.

    :param host_bits: take ``10.0.0.5/24`` as ``10.0.0.0/24`` instead of refusing it
    """
    try:
        if not isinstance(raw, str) or "%" in raw:
            raise ValueError
        found = ipaddress.ip_network(raw, strict=False)
        given = ipaddress.ip_address(raw.split("/")[0])
    except ValueError:
        raise invalid(what, raw, "is not a valid CIDR") from None
    if given != found.network_address and not host_bits:
        raise invalid(what, raw, f"isn't a recognized CIDR, '{found}' is recommended")
    if version not in (None, found.version):
        raise invalid(what, raw, f"is not an IPv{version} CIDR")
    return found


def mac_address(raw, what: str, *, unicast: bool = True) -> str:
    """A MAC address in any usual notation, as ``fa:16:3e:00:00:01``.

    :param unicast: refuse multicast addresses and 00:00:00:00:00:00, which cannot be a sender
    """
    if not isinstance(raw, str) or not _MAC.fullmatch(raw.lower()):
        raise invalid(what, raw, "is not a valid MAC address")
    digits = re.sub("[^0-9a-f]", "", raw.lower())
    if unicast and (int(digits[:2], 16) & 1 or not int(digits, 16)):
        raise invalid(what, raw, "is not the MAC address of one interface")
    return ":".join(digits[i:i + 2] for i in range(0, 12, 2))


def host_name(raw, what: str, *, longest: int = 253, dots: bool = True) -> str:
    """A DNS name in lower case, without a final dot.

    :param dots: False for one label only
    """
    plain = raw.lower().removesuffix(".") if isinstance(raw, str) else ""
    labels = plain.split(".")
    if not len(plain) <= longest or not dots and len(labels) > 1 or not all(_LABEL.fullmatch(x) for x in labels):
        raise invalid(what, raw, "is not a valid host name")
    return plain
