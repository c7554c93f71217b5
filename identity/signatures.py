"""Signatures of EC2 and S3 requests, for the services that receive such requests.

Every request must contain the time of its signature, within ``MAX_AGE_S`` of now. The caller records the signature
for that long (identity/db/used_proofs.py), so that a request cannot be replayed.

Sources: AWS General Reference, "Signature Version 2 signing process" and "Authenticating requests (AWS Signature
Version 4)"; "Signing and Authenticating REST Requests" (S3, version 2); the names of the members are those of
OpenStack's ``ec2tokens`` and ``s3tokens``.
"""

import base64
import datetime
import email.utils
import hashlib
import hmac
import re
import time
import urllib.parse

from common import errors

# An older request, or one from the future, may be a replay.
MAX_AGE_S = 15 * 60
_V4 = "AWS4-HMAC-SHA256"
_AUTHORIZATION = re.compile(r"AWS4-HMAC-SHA256 +Credential=([^/, ]+)/([^, ]+), *SignedHeaders=([^, ]+), *Signature=([0-9a-f]+)")


_S3_SERVICES = ("s3", "iam", "sts")  # as in Keystone: an S3 signature is not valid for other services


def _bytes(text) -> bytes:
    return str(text).encode("utf-8", "replace")


def _mac(key: bytes, text: str, digest=hashlib.sha256) -> bytes:
    return hmac.new(key, _bytes(text), digest).digest()


def _quote(text) -> str:
    return urllib.parse.quote(_bytes(text), safe="-_.~")


def _query(params: dict) -> str:
    return "&".join(f"{_quote(k)}={_quote(v)}" for k, v in sorted(params.items()))


def _near(at: float) -> None:
    """:raises Unauthorized: ``at`` (epoch seconds) is too far in the past or future"""
    if not abs(time.time() - at) <= MAX_AGE_S:
        raise errors.Unauthorized()


def _fresh(text: str, form: str) -> None:
    try:
        at = datetime.datetime.strptime(text, form).replace(tzinfo=datetime.timezone.utc).timestamp()
    except (ValueError, OverflowError):
        raise errors.Unauthorized() from None
    _near(at)


def _same(wanted: list[str], given) -> str:
    """The signature, if it equals one of these. :raises Unauthorized: it does not"""
    # As bytes, because compare_digest does not accept non-ASCII text.
    if not any([hmac.compare_digest(_bytes(w), _bytes(given)) for w in wanted]):
        raise errors.Unauthorized()
    return str(given)


def key_v4(secret: str, scope: str) -> bytes:
    """The key that signs within ``scope``: date/region/service/aws4_request."""
    key = _bytes("AWS4" + secret)
    for part in scope.split("/"):
        key = _mac(key, part)
    return key


def _check_scope(scope: str, date: str, services: tuple[str, ...] = ()) -> None:
    """:raises Unauthorized: no scope of a version 4 signature, another day, or another service"""
    parts = scope.split("/")
    if len(parts) != 4 or parts[3] != "aws4_request" or parts[0] != date[:8] or services and parts[2] not in services:
        raise errors.Unauthorized()


def check_ec2(credentials: dict, secret: str) -> str:
    """The signature of a request, after verification.

    :param credentials: {"signature", "host", "verb", "path", "params", "headers", "body_hash"}, the latter two for
        version 4
    :raises Unauthorized: a wrong signature, or the request is too old
    """
    params = {str(k): v for k, v in (credentials.get("params") or {}).items()}
    headers = {k.lower(): v for k, v in (credentials.get("headers") or {}).items()}
    authorization = _AUTHORIZATION.fullmatch(str(headers.get("authorization", "")))
    if authorization or params.get("X-Amz-Algorithm") == _V4:
        wanted = _version_4(credentials, params, headers, authorization, secret)
    else:
        wanted = _version_2(credentials, params, secret)
    return _same(wanted, credentials.get("signature", ""))


def _version_2(credentials: dict, params: dict, secret: str) -> list[str]:
    """Both with and without the port, since clients differ."""
    digest = {"HmacSHA256": hashlib.sha256, "HmacSHA1": hashlib.sha1}.get(str(params.get("SignatureMethod", "")))
    if params.get("SignatureVersion") != "2" or digest is None:
        raise errors.Unauthorized()
    if "Timestamp" in params:
        _fresh(str(params["Timestamp"]).split(".")[0].rstrip("Z") + "Z", "%Y-%m-%dT%H:%M:%SZ")
    else:
        _fresh_until(str(params.get("Expires", "")))
    query = _query({k: v for k, v in params.items() if k != "Signature"})
    host = str(credentials.get("host", "")).lower()
    return [base64.b64encode(_mac(_bytes(secret), "\n".join((
        str(credentials.get("verb", "")), name, str(credentials.get("path", "")), query)), digest)).decode()
        for name in (host, host.rpartition(":")[0] or host)]


def _fresh_until(text: str) -> None:
    try:
        until = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
        left = until.timestamp() - time.time() if until.tzinfo else -1
    except (ValueError, OverflowError):
        raise errors.Unauthorized() from None
    if not 0 <= left <= MAX_AGE_S:
        raise errors.Unauthorized()


def _version_4(credentials: dict, params: dict, headers: dict, authorization, secret: str) -> list[str]:
    if authorization:
        scope, names = authorization[2], authorization[3].split(";")
        date = str(headers.get("x-amz-date", ""))
    else:
        _, _, scope = str(params.get("X-Amz-Credential", "")).partition("/")
        names, date = str(params.get("X-Amz-SignedHeaders", "")).split(";"), str(params.get("X-Amz-Date", ""))
    _fresh(date, "%Y%m%dT%H%M%SZ")
    _check_scope(scope, date)
    if "host" not in names:
        raise errors.Unauthorized()
    query = _query({k: v for k, v in params.items() if k != "X-Amz-Signature"}) if not authorization or \
        credentials.get("verb") == "GET" else ""
    found = []
    for host in dict.fromkeys((str(headers.get("host", credentials.get("host", ""))), str(credentials.get("host", "")))):
        values = {**headers, "host": host}
        canonical = "\n".join((str(credentials.get("verb", "")), str(credentials.get("path", "")), query, *[
            f"{n}:{' '.join(str(values.get(n, '')).split())}" for n in names], "", ";".join(names),
            str(credentials.get("body_hash", ""))))
        text = "\n".join((_V4, date, scope, hashlib.sha256(_bytes(canonical)).hexdigest()))
        found.append(_mac(key_v4(secret, scope), text).hex())
    return found


def check_s3(credentials: dict, secret: str) -> str:
    """As ``check_ec2``.

    :param credentials: {"token": what was signed, in base64; "signature"}
    :raises Unauthorized: the signature is not the secret's, or the request is too old, or has no time
    """
    try:
        # In either alphabet: Keystone accepts base64url.
        text = base64.b64decode(_bytes(credentials.get("token", "")), altchars=b"-_" if set("-_") & set(
            str(credentials.get("token", ""))) else None, validate=False).decode()
    except ValueError:
        raise errors.Unauthorized() from None
    lines = text.split("\n")
    if lines[0] == _V4:
        if len(lines) != 4:
            raise errors.Unauthorized()
        _fresh(lines[1], "%Y%m%dT%H%M%SZ")
        _check_scope(lines[2], lines[1], _S3_SERVICES)
        wanted = _mac(key_v4(secret, lines[2]), text).hex()
    else:
        _fresh_s3_v2(lines)
        wanted = base64.b64encode(_mac(_bytes(secret), text, hashlib.sha1)).decode()
    return _same([wanted], credentials.get("signature", ""))


def _fresh_s3_v2(lines: list[str]) -> None:
    """The time of a version 2 signature: the header x-amz-date if there is one, otherwise the Date line, which
    contains the expiry time in signed URLs.

    :param lines: the signed text: verb, MD5, type, date, headers x-amz-…, resource
    """
    if len(lines) < 5:
        raise errors.Unauthorized()
    own = [line.partition(":")[2] for line in lines[4:-1] if line.startswith("x-amz-date:")]
    text = (own[0] if own else lines[3]).strip()
    if not own and re.fullmatch("[0-9]{1,12}", text):
        if not 0 <= int(text) - time.time() <= MAX_AGE_S:
            raise errors.Unauthorized()
        return
    try:
        at = email.utils.parsedate_to_datetime(text)
        _near(at.replace(tzinfo=at.tzinfo or datetime.timezone.utc).timestamp())
    except (ValueError, TypeError, OverflowError, IndexError):
        raise errors.Unauthorized() from None
