"""Password hashes: bcrypt, off the event loop, with constant time for unknown users."""

import bcrypt

from common import errors, native


class Passwords:
    def __init__(self, rounds: int, max_length: int):
        self.rounds, self.max_length = rounds, max_length
        self._nobody: bytes | None = None

    def hash(self, password: str) -> str:
        """:raises BadRequest: too long for bcrypt, which would silently truncate it"""
        try:
            raw = password.encode()
        except UnicodeEncodeError:
            raise errors.BadRequest("A password must be valid Unicode.") from None
        if len(raw) > self.max_length:
            raise errors.BadRequest(f"A password may have at most {self.max_length} bytes.")
        return native.execute(bcrypt.hashpw, raw, bcrypt.gensalt(self.rounds)).decode()

    def matches(self, password: str, hashed: str | None) -> bool:
        """Whether the password is correct; calculates one hash even if there is no stored hash."""
        if self._nobody is None:
            self._nobody = native.execute(bcrypt.hashpw, b"nobody", bcrypt.gensalt(self.rounds))
        raw = password.encode("utf-8", "replace")[: self.max_length + 1]
        right = native.execute(bcrypt.checkpw, raw[:72], hashed.encode() if hashed else self._nobody)
        return bool(right and hashed and len(raw) <= self.max_length)
