"""Microversion negotiation.

Source: https://specs.openstack.org/openstack/api-sig/guidelines/microversion_specification.html
"""

import re

from common import errors


class Negotiator:
    """Negotiates the version of a request.

    :param service_type: the service type in ``OpenStack-API-Version``
    :param legacy: an older header with only the version, or None
    """

    def __init__(self, service_type: str, minimum: tuple, maximum: tuple, legacy: str | None = None):
        self.service_type, self.minimum, self.maximum, self.legacy = service_type, minimum, maximum, legacy

    def _asked(self, req) -> str | None:
        for entry in req.headers.get("OpenStack-API-Version", "").split(","):
            kind, _, version = entry.strip().partition(" ")
            if kind == self.service_type and version:
                return version.strip()
        return req.headers.get(self.legacy) if self.legacy else None

    def __call__(self, req) -> dict:
        """Set ``req.version`` and return the response headers."""
        asked = self._asked(req) or "%d.%d" % self.minimum
        if asked == "latest":
            version = self.maximum
        else:
            match = re.fullmatch(r"([1-9]\d{0,3})\.(0|[1-9]\d{0,3})", asked)
            if not match:
                raise errors.BadRequest(f"API Version String '{asked}' is of invalid format. It must be of format "
                                        f"'major.minor'.")
            version = (int(match[1]), int(match[2]))
        if not self.minimum <= version <= self.maximum:
            raise errors.NotAcceptable("Version %s is not supported by the API. Minimum is %d.%d and maximum is %d.%d."
                                       % (asked, *self.minimum, *self.maximum),
                                       min_version="%d.%d" % self.minimum, max_version="%d.%d" % self.maximum)
        req.environ["pileus.microversion"] = version
        text = "%d.%d" % version
        names = ["OpenStack-API-Version"] + ([self.legacy] if self.legacy else [])
        headers = {"OpenStack-API-Version": f"{self.service_type} {text}", "Vary": ", ".join(names)}
        if self.legacy:
            headers[self.legacy] = text
        req.environ["pileus.version_headers"] = headers
        return headers
