"""Signing keys: PEM files ``<state>/identity/keys/<key id>.pem``; the newest name signs, all verify."""

import json
import os
import pathlib
import time

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm


class KeyRing:
    """The keys of one identity service. It is re-read when the directory changes, so that rotation needs no restart."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self._stamp = 0.0
        self._private: dict = {}

    def rotate(self, *, keep: int = 3) -> str:
        """Add a signing key, and delete all but the newest ``keep``; returns the new key's id."""
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        key_id = f"{time.time_ns():020d}"
        pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        partial = self.directory / f".{key_id}"
        with open(os.open(partial, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as out:
            out.write(pem)
        partial.rename(self.directory / f"{key_id}.pem")
        for old in sorted(self.directory.glob("*.pem"))[:-keep]:
            old.unlink()
        return key_id

    def private(self) -> dict:
        """{key id: private key}, oldest first."""
        stamp = self.directory.stat().st_mtime if self.directory.exists() else 0
        if stamp != self._stamp:
            self._private = {p.stem: serialization.load_pem_private_key(p.read_bytes(), None)
                             for p in sorted(self.directory.glob("*.pem"))}
            self._stamp = stamp
        return self._private

    def signing(self) -> tuple:
        """(key id, private key). If there are several, the newest is used only after other services have had time to
        fetch it."""
        ring = self.private()
        usable = [k for k in ring if time.time_ns() - int(k) > 5_000_000_000] or list(ring)[:1]
        return usable[-1], ring[usable[-1]]

    def public(self) -> dict:
        return {k: v.public_key() for k, v in self.private().items()}

    def jwks(self) -> list[dict]:
        """The public keys as JSON Web Keys (RFC 7517)."""
        return [{**json.loads(ECAlgorithm.to_jwk(key)), "kid": key_id, "alg": "ES256", "use": "sig"}
                for key_id, key in self.public().items()]
