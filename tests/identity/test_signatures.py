"""Requests signed by Amazon's own library, checked here."""

import base64
import datetime
import email.utils
import hashlib
import hmac
import time
import urllib.parse

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import pytest

from common import errors
from identity import signatures

SECRET = "f1e2d3c4b5a697887766554433221100"
KEYS = botocore.credentials.Credentials("access", SECRET)
BODY = "Action=DescribeInstances&Version=2016-11-15"


def signed_v4(*, port: str = ":8773") -> dict:
    """What a service sends of a POST that it received."""
    request = botocore.awsrequest.AWSRequest("POST", f"http://cloud.example{port}/services/Cloud", data=BODY, headers={
        "Content-Type": "application/x-www-form-urlencoded", "Host": f"cloud.example{port}"})
    botocore.auth.SigV4Auth(KEYS, "ec2", "RegionOne").add_auth(request)
    headers = dict(request.headers.items())
    return {"access": "access", "signature": headers["Authorization"].rpartition("=")[2], "host": f"cloud.example{port}",
            "verb": "POST", "path": "/services/Cloud", "headers": headers, "params": dict(urllib.parse.parse_qsl(BODY)),
            "body_hash": hashlib.sha256(BODY.encode()).hexdigest()}


def signed_v4_query() -> dict:
    request = botocore.awsrequest.AWSRequest("GET", "http://cloud.example/services/Cloud", params=dict(
        urllib.parse.parse_qsl(BODY)), headers={"Host": "cloud.example"})
    botocore.auth.SigV4QueryAuth(KEYS, "ec2", "RegionOne", expires=60).add_auth(request)
    params = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(request.url).query))
    return {"access": "access", "signature": params["X-Amz-Signature"], "host": "cloud.example", "verb": "GET", "headers": {},
            "path": "/services/Cloud", "params": params, "body_hash": hashlib.sha256(b"").hexdigest()}


def signed_v2() -> dict:
    request = botocore.awsrequest.AWSRequest("POST", "http://cloud.example/services/Cloud", data={
        **dict(urllib.parse.parse_qsl(BODY)), "Filter.1.Value.1": "a b+c~d/é"})
    botocore.auth.SigV2Auth(KEYS).add_auth(request)
    return {"access": "access", "signature": request.data["Signature"], "host": "cloud.example", "verb": "POST",
            "path": "/services/Cloud", "params": dict(request.data)}


def signed_s3(at: datetime.datetime | None = None) -> dict:
    moment = (at or datetime.datetime.now(datetime.timezone.utc)).strftime("%Y%m%dT%H%M%SZ")
    scope = f"{moment[:8]}/RegionOne/s3/aws4_request"
    text = "\n".join(("AWS4-HMAC-SHA256", moment, scope, hashlib.sha256(b"canonical").hexdigest()))
    signer = botocore.auth.SigV4Auth(KEYS, "s3", "RegionOne")
    request = botocore.awsrequest.AWSRequest("GET", "http://x/")
    request.context["timestamp"] = moment
    return {"access": "access", "token": base64.b64encode(text.encode()).decode(), "signature": signer.signature(text, request)}


@pytest.mark.parametrize("make", [signed_v4, signed_v4_query, signed_v2], ids=lambda f: f.__name__)
def test_what_amazons_library_signs_is_right_and_nothing_else(make):
    signatures.check_ec2(make(), SECRET)
    for change in ({"signature": "0" * 64}, {"signature": ""}, {"verb": "PUT"}, {"path": "/services/Other"},
                   {"host": "evil.example"}, {"params": {}}):
        changed = {**make(), **change}
        if "host" in change and "Host" in changed.get("headers", {}):
            changed["headers"] = {**changed["headers"], "Host": "evil.example"}
        if change == {"params": {}} and make is signed_v4:
            changed = {**make(), "body_hash": hashlib.sha256(b"other").hexdigest()}
        with pytest.raises(errors.Unauthorized):
            signatures.check_ec2(changed, SECRET)
    with pytest.raises(errors.Unauthorized):
        signatures.check_ec2(make(), SECRET[::-1])


@pytest.mark.parametrize("make", [signed_v4, signed_v4_query, signed_v2], ids=lambda f: f.__name__)
def test_a_recorded_request_is_worth_nothing_later(make, monkeypatch):
    made, now = make(), signatures.time.time()
    monkeypatch.setattr(signatures.time, "time", lambda: now + signatures.MAX_AGE_S + 60)
    with pytest.raises(errors.Unauthorized):
        signatures.check_ec2(made, SECRET)


def test_s3():
    signatures.check_s3(signed_s3(), SECRET)
    with pytest.raises(errors.Unauthorized):
        signatures.check_s3(signed_s3(), "other")
    with pytest.raises(errors.Unauthorized):
        signatures.check_s3(signed_s3(datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone.utc)), SECRET)
    old = signed_s3_v2(date(0))
    signatures.check_s3(old, SECRET)
    for wrong in ({"token": "!"}, {"token": base64.b64encode(b"\xff\xfe").decode()}, {"signature": "x"}):
        with pytest.raises(errors.Unauthorized):
            signatures.check_s3({**old, **wrong}, SECRET)


def signed_s3_v2(when: str, *headers: str) -> dict:
    text = "\n".join(("GET", "", "", when, *headers, "/magic/file"))
    return {"token": base64.b64encode(text.encode()).decode(),
            "signature": base64.b64encode(hmac.new(SECRET.encode(), text.encode(), hashlib.sha1).digest()).decode()}


def date(age_s: float) -> str:
    return email.utils.formatdate(time.time() - age_s, usegmt=True)


def test_when_an_s3_request_of_version_2_was_signed():
    now, day = int(time.time()), 86400
    for good in ((date(0),), (date(800),), (date(-800),), (str(now + 60),), ("", f"x-amz-date:{date(5)}"),
                 (date(day), f"x-amz-date:{date(5)}"), (date(0), "x-amz-meta-a:b", "x-amz-security-token:c")):
        signatures.check_s3(signed_s3_v2(*good), SECRET)
    for bad in (("Thu, 17 Nov 2001 18:49:58 GMT",), (date(1000),), (date(-1000),), ("",), (str(now - 1),), (str(now + day),),
                (date(0), f"x-amz-date:{date(day)}"), (date(0), "x-amz-date:"), ("9" * 40,), ("never",), ("\u00b2",),
                ("Fri, 31 Dec 9999 23:59:59 -1200",), ("Sat, 01 Jan 0001 00:00:00 +1200",)):
        with pytest.raises(errors.Unauthorized):
            signatures.check_s3(signed_s3_v2(*bad), SECRET)


@pytest.mark.parametrize("given", ["é" * 20, "\ud800", "٣" * 64, None, 5, ["x"], {"a": 1}], ids=ascii)
def test_a_signature_that_is_no_ascii_is_only_wrong(given):
    for make in (signed_v4, signed_v4_query, signed_v2):
        for name in ("signature", "verb", "path"):
            with pytest.raises(errors.Unauthorized):
                signatures.check_ec2({**make(), name: given}, SECRET)
    for made in (signed_s3(), signed_s3_v2(date(0))):
        for name in ("signature", "token"):
            with pytest.raises(errors.Unauthorized):
                signatures.check_s3({**made, name: given}, SECRET)


@pytest.mark.parametrize("scope", ["{day}/RegionOne/s3", "{day}/RegionOne/ec2/aws4_request", "20010101/RegionOne/s3/aws4_request",
                                   "{day}/RegionOne/s3/aws4_request/more", "/", ""])
def test_an_s3_signature_is_for_its_day_and_service(scope):
    moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    scope = scope.format(day=moment[:8])
    text = "\n".join(("AWS4-HMAC-SHA256", moment, scope, "0" * 64))
    signature = hmac.new(signatures.key_v4(SECRET, scope), text.encode(), hashlib.sha256).hexdigest()
    with pytest.raises(errors.Unauthorized):
        signatures.check_s3({"token": base64.b64encode(text.encode()).decode(), "signature": signature}, SECRET)


@pytest.mark.parametrize("made", [{}, {"params": None}, {"params": {"SignatureVersion": "2"}}, {"headers": {"Authorization": 5}},
                                  {"params": {"X-Amz-Algorithm": "AWS4-HMAC-SHA256"}, "signature": None},
                                  {"params": {"SignatureVersion": "2", "SignatureMethod": "HmacSHA256", "Expires": "never"}}])
def test_nonsense_is_refused(made):
    with pytest.raises(errors.Unauthorized):
        signatures.check_ec2({"access": "a", "signature": "", **made}, SECRET)
