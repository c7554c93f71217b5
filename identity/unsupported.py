"""Features of Keystone's API, current or former, that are not supported."""

from common.unsupported import Part, Table

_PKI = "PKI tokens"
TABLE = Table("/v3", [
    Part("/OS-OAUTH2", "OAuth 2.0"), Part("/auth/tokens/OS-PKI/revoked", _PKI, removed=True),
    Part("/OS-SIMPLE-CERT", _PKI, removed=True),
])
