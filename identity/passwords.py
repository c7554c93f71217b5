"""Password hashes: bcrypt, off the event loop, and the same time for users that do not exist."""

import bcrypt

from common import errors, native


class Passwords:
    def __init__(self, rounds: int, max_length: int):
        self.rounds, self.max_length = rounds, max_length
        self._nobody: bytes | None = None

    def hash(self, password: str) -> str:
        """:raises BadRequest: too long for bcrypt, which would silently cut it"""
        try:
            raw = password.encode()
        except UnicodeEncodeError:
            raise errors.BadRequest("A password must be valid Unicode.") from None
        if len(raw) > self.max_length:
            raise errors.BadRequest(f"A password may have at most {self.max_length} bytes.")
        return native.execute(bcrypt.hashpw, raw, bcrypt.gensalt(self.rounds)).decode()

    def matches(self, password: str, hashed: str | None) -> bool:
        """Whether the password is right; costs one hash even where there is nothing to compare with."""
        if self._nobody is None:
            self._nobody = native.execute(bcrypt.hashpw, b"nobody", bcrypt.gensalt(self.rounds))
        raw = password.encode("utf-8", "replace")[: self.max_length + 1]
        right = native.execute(bcrypt.checkpw, raw[:72], hashed.encode() if hashed else self._nobody)
        return bool(right and hashed and len(raw) <= self.max_length)
