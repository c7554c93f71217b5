"""Key pairs: generated here, or an imported public key."""

import base64
import datetime
import hashlib
import re

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from common import db, errors, native, wsgi
from compute_api import microversions
from compute_api.handlers import paging
from compute_api.schemas import keypairs as schemas
from compute_api.services import keypairs


def _user(req, rule: str, given: str | None) -> str:
    """The user whose key pairs are meant: the caller, or from 2.10 on another user if the rule allows it."""
    user_id = given if given and req.version >= (2, 10) else req.ctx.user_id
    req.svc.policy.check(req.ctx, rule, {"user_id": user_id})
    return user_id


def _view(req, row: dict) -> dict:
    shown = {"name": row["name"], "public_key": row["public_key"], "fingerprint": row["fingerprint"]}
    if req.version >= (2, 2):
        shown["type"] = row["type"]
    return shown


def fingerprint(public_key: str) -> str:
    """MD5 of the key's bytes in hex pairs, the format of older OpenSSH releases.

    :raises BadRequest: not an OpenSSH public key
    """
    try:
        key = serialization.load_ssh_public_key(public_key.encode())
        raw = key.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH).split()[1]
    except (ValueError, IndexError, UnicodeEncodeError):
        raise errors.BadRequest("Keypair data is invalid: failed to generate fingerprint") from None
    except Exception as error:  # cryptography raises another exception for some key types
        raise errors.BadRequest("Keypair data is invalid: failed to generate fingerprint", internal=str(error)) from error
    digest = hashlib.md5(base64.b64decode(raw), usedforsecurity=False).hexdigest()
    return ":".join(digest[i:i + 2] for i in range(0, 32, 2))


def certificate_fingerprint(pem: str) -> str:
    """SHA-1 of the certificate's DER form in hex pairs, the format of Windows.

    :raises BadRequest: not an X.509 certificate in PEM
    """
    try:
        digest = x509.load_pem_x509_certificate(pem.encode()).fingerprint(hashes.SHA1()).hex()
    except ValueError:
        raise errors.BadRequest("Keypair data is invalid: failed to generate X509 fingerprint.") from None
    return ":".join(digest[i:i + 2] for i in range(0, len(digest), 2))


def _generate_certificate(user_id: str) -> tuple[str, str]:
    """Generate a key and a certificate for client authentication with WinRM on Windows; the user is in its UPN."""
    key = native.execute(rsa.generate_private_key, 65537, 2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, user_id)])
    raw = user_id.encode()
    if len(raw) > 127:  # the length of a DER string takes one byte up to here
        raise errors.BadRequest("This user's id is too long for a certificate.")
    upn = x509.OtherName(x509.ObjectIdentifier("1.3.6.1.4.1.311.20.2.3"), b"\x0c" + bytes([len(raw)]) + raw)
    at = db.now()
    certificate = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(
        x509.random_serial_number()).not_valid_before(at).not_valid_after(at + datetime.timedelta(days=3650)).add_extension(
        x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False).add_extension(
        x509.SubjectAlternativeName([upn]), critical=False).sign(key, hashes.SHA256())
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return private.decode(), certificate.public_bytes(serialization.Encoding.PEM).decode()


def _generate(user_id: str) -> tuple[str, str]:
    key = native.execute(rsa.generate_private_key, 65537, 2048)
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL,
                                serialization.NoEncryption()).decode()
    public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH).decode()
    return private, public + " Generated-by-Pileus"


def index(req):
    microversions.check_query(req.call, req.GET, ("user_id", "limit", "marker"))
    user_id = _user(req, "os_compute_api:os-keypairs:index", req.GET.get("user_id"))
    paged = req.version >= (2, 35)
    limit, marker = (paging.limit(req), req.GET.get("marker")) if paged else (None, None)
    found = keypairs.index(req.call, marker, user_id, limit)
    links = paging.next_links(req, found, "name") if paged else []
    return {"keypairs": [{"keypair": _view(req, r)} for r in found], **({"keypairs_links": links} if links else {})}


def _check_version(req, given: dict) -> None:
    """:raises BadRequest: a key is to be generated, which ended with 2.91, or the name has what came with 2.92"""
    if req.version >= (2, 92) and given.get("public_key") is None:
        raise errors.BadRequest("Invalid input for field/attribute keypair. 'public_key' is a required property")
    if req.version < (2, 92) and not re.fullmatch(schemas.OLD_NAME, given["name"]):
        raise errors.BadRequest(f"Invalid input for field/attribute name. Value: {given['name']}. It has characters that are "
                                "allowed from microversion 2.92 on.")


@wsgi.body(schemas.BODY)
def create(req, body):
    given = body["keypair"]
    user_id = _user(req, "os_compute_api:os-keypairs:create", given.get("user_id"))
    microversions.check_names(req.call, given, {"type": (2, 2), "user_id": (2, 10)})
    _check_version(req, given)
    kind = given.get("type", "ssh")
    make, digest = {"ssh": (_generate, fingerprint), "x509": (_generate_certificate, certificate_fingerprint)}[kind]
    private, public = (None, given["public_key"]) if given.get("public_key") else make(user_id)
    row = {"user_id": user_id, "name": given["name"], "type": kind, "public_key": public,
           "fingerprint": digest(public.strip()), "created_at": db.now()}
    keypairs.create(req.call, user_id, row)
    shown = {**_view(req, row), "user_id": user_id, **({"private_key": private} if private else {})}
    return wsgi.json_response({"keypair": shown}, 201 if req.version >= (2, 2) else 200)


def show(req, name):
    microversions.check_query(req.call, req.GET, ("user_id",))
    user_id = _user(req, "os_compute_api:os-keypairs:show", req.GET.get("user_id"))
    row = keypairs.show(req.call, user_id, name)
    return {"keypair": {**_view(req, row), "user_id": user_id, "id": 1, "deleted": False, "deleted_at": None,
                        "updated_at": None, "created_at": db.iso(row["created_at"], zulu=False, micro=True)}}


def delete(req, name):
    microversions.check_query(req.call, req.GET, ("user_id",))
    user_id = _user(req, "os_compute_api:os-keypairs:delete", req.GET.get("user_id"))
    keypairs.delete(req.call, user_id, name)
    return wsgi.Response(status=204 if req.version >= (2, 2) else 202)
