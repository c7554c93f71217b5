"""Encryption of stored secrets (credentials in identity, CHAP secrets of volumes) with keys outside the database."""

import os
import pathlib

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from common import errors


class Vault:
    """Fernet keys, one per line, newest first, in a file readable only by its owner; created on first use."""

    def __init__(self, path):
        self.path = pathlib.Path(path)
        self._fernet: MultiFernet | None = None

    def _keys(self) -> MultiFernet:
        if self._fernet is None:
            if not self.path.exists():
                self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                partial = self.path.with_suffix(f".{os.getpid()}")
                with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
                    out.write(Fernet.generate_key() + b"\n")
                try:
                    os.link(partial, self.path)  # the first of two workers wins, the other reads its key
                except FileExistsError:
                    pass
                partial.unlink()
            self._fernet = MultiFernet([Fernet(k) for k in self.path.read_bytes().split()])
        return self._fernet

    def seal(self, text: str) -> str:
        return self._keys().encrypt(text.encode()).decode()

    def open(self, sealed: str) -> str:
        """:raises Error: the key is missing"""
        try:
            return self._keys().decrypt(sealed.encode()).decode()
        except InvalidToken:
            raise errors.Error("A stored secret cannot be decrypted.", internal=f"no key in {self.path} opens it") from None


_CHAP = "auth_password"


def seal_chap(vault: Vault, data: dict) -> dict:
    """Connection info with the CHAP secret encrypted. Repeatable.

    :param data: the "data" of connection info, as in Cinder's iSCSI drivers
    """
    if _CHAP not in data:
        return data
    return {**{k: v for k, v in data.items() if k != _CHAP}, f"sealed_{_CHAP}": vault.seal(data[_CHAP])}


def open_chap(vault: Vault, data: dict) -> dict:
    """Connection info with the CHAP secret decrypted, to be used immediately. :raises Error: as ``Vault.open``"""
    sealed = f"sealed_{_CHAP}"
    return {**{k: v for k, v in data.items() if k != sealed}, _CHAP: vault.open(data[sealed])} if sealed in data else data
