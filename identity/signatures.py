"""Signatures of EC2 and S3 requests, as a service that received one has it checked.

Sources: AWS General Reference, "Signature Version 2 signing process" and
"Authenticating requests (AWS Signature Version 4)"; the names of the members
are those of OpenStack's ``ec2tokens`` and ``s3tokens``.
"""

import base64
import datetime
import hashlib
import hmac
import re
import time
import urllib.parse

from common import errors

# A request that is older (or younger) than this was recorded, and is played again.
MOST_AGE_S = 15 * 60
_V4 = "AWS4-HMAC-SHA256"
_AUTHORIZATION = re.compile(r"AWS4-HMAC-SHA256 +Credential=([^/, ]+)/([^, ]+), *SignedHeaders=([^, ]+), *Signature=([0-9a-f]+)")


def _mac(key: bytes, text: str, digest=hashlib.sha256) -> bytes:
    return hmac.new(key, text.encode(), digest).digest()


def _quote(text) -> str:
    return urllib.parse.quote(str(text), safe="-_.~")


def _query(params: dict) -> str:
    return "&".join(f"{_quote(k)}={_quote(v)}" for k, v in sorted(params.items()))


def _fresh(text: str, form: str) -> None:
    try:
        at = datetime.datetime.strptime(text, form).replace(tzinfo=datetime.timezone.utc).timestamp()
    except ValueError:
        raise errors.Unauthorized() from None
    if abs(time.time() - at) > MOST_AGE_S:
        raise errors.Unauthorized()


def key_v4(secret: str, scope: str) -> bytes:
    """The key that signs within ``scope``: date/region/service/aws4_request."""
    key = ("AWS4" + secret).encode()
    for part in scope.split("/"):
        key = _mac(key, part)
    return key


def check_ec2(credentials: dict, secret: str) -> None:
    """:param credentials: {"signature", "host", "verb", "path", "params", "headers", "body_hash"}, the latter two for version 4

    :raises Unauthorized: the signature is not the secret's, or the request is too old
    """
    params = {str(k): v for k, v in (credentials.get("params") or {}).items()}
    headers = {k.lower(): v for k, v in (credentials.get("headers") or {}).items()}
    authorization = _AUTHORIZATION.fullmatch(str(headers.get("authorization", "")))
    if authorization or params.get("X-Amz-Algorithm") == _V4:
        wanted = _version_4(credentials, params, headers, authorization, secret)
    else:
        wanted = _version_2(credentials, params, secret)
    if not any(hmac.compare_digest(w, str(credentials.get("signature", ""))) for w in wanted):
        raise errors.Unauthorized()


def _version_2(credentials: dict, params: dict, secret: str) -> list[str]:
    """Both with and without the port: some clients sign the one, some the other."""
    digest = {"HmacSHA256": hashlib.sha256, "HmacSHA1": hashlib.sha1}.get(params.get("SignatureMethod", ""))
    if params.get("SignatureVersion") != "2" or digest is None:
        raise errors.Unauthorized()
    if "Timestamp" in params:
        _fresh(str(params["Timestamp"]).split(".")[0].rstrip("Z") + "Z", "%Y-%m-%dT%H:%M:%SZ")
    else:
        _fresh_until(str(params.get("Expires", "")))
    query = _query({k: v for k, v in params.items() if k != "Signature"})
    host = str(credentials.get("host", "")).lower()
    return [base64.b64encode(_mac(secret.encode(), "\n".join((
        str(credentials.get("verb", "")), name, str(credentials.get("path", "")), query)), digest)).decode()
        for name in (host, host.rpartition(":")[0] or host)]


def _fresh_until(text: str) -> None:
    try:
        until = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        raise errors.Unauthorized() from None
    if not until.tzinfo or not 0 <= until.timestamp() - time.time() <= MOST_AGE_S:
        raise errors.Unauthorized()


def _version_4(credentials: dict, params: dict, headers: dict, authorization, secret: str) -> list[str]:
    if authorization:
        scope, names = authorization[2], authorization[3].split(";")
        date = str(headers.get("x-amz-date", ""))
    else:
        _, _, scope = str(params.get("X-Amz-Credential", "")).partition("/")
        names, date = str(params.get("X-Amz-SignedHeaders", "")).split(";"), str(params.get("X-Amz-Date", ""))
    _fresh(date, "%Y%m%dT%H%M%SZ")
    if not date.startswith(scope.split("/")[0]) or "host" not in names:
        raise errors.Unauthorized()
    query = _query({k: v for k, v in params.items() if k != "X-Amz-Signature"}) if not authorization or \
        credentials.get("verb") == "GET" else ""
    found = []
    for host in dict.fromkeys((str(headers.get("host", credentials.get("host", ""))), str(credentials.get("host", "")))):
        values = {**headers, "host": host}
        canonical = "\n".join((str(credentials.get("verb", "")), str(credentials.get("path", "")), query, *[
            f"{n}:{' '.join(str(values.get(n, '')).split())}" for n in names], "", ";".join(names),
            str(credentials.get("body_hash", ""))))
        text = "\n".join((_V4, date, scope, hashlib.sha256(canonical.encode()).hexdigest()))
        found.append(_mac(key_v4(secret, scope), text).hex())
    return found


def check_s3(credentials: dict, secret: str) -> None:
    """:param credentials: {"token": what was signed, in base64; "signature"}

    :raises Unauthorized: the signature is not the secret's, or the request is too old
    """
    try:
        text = base64.b64decode(str(credentials.get("token", "")), validate=False).decode()
    except ValueError:
        raise errors.Unauthorized() from None
    lines = text.split("\n")
    if lines[0] == _V4:
        if len(lines) != 4:
            raise errors.Unauthorized()
        _fresh(lines[1], "%Y%m%dT%H%M%SZ")
        wanted = _mac(key_v4(secret, lines[2]), text).hex()
    else:
        wanted = base64.b64encode(_mac(secret.encode(), text, hashlib.sha1)).decode()
    if not hmac.compare_digest(wanted, str(credentials.get("signature", ""))):
        raise errors.Unauthorized()
