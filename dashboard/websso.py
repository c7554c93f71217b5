"""Federated logins that the login page offers: links to the identity service, behind whose proxy the provider asks who one is."""

import urllib.parse

from dashboard.texts import Text


def origin(req) -> str:
    """Where identity sends the token; its ``[federation] trusted_dashboard`` must name it."""
    return f"{req.host_url}/auth/websso/"


def offered(req) -> list[tuple[str, str]]:
    """[(URL, text)] of the buttons."""
    of = req.svc.conf.dashboard
    return [_link(of.websso_url.rstrip("/"), entry, origin(req)) for entry in of.websso] if of.websso_url else []


def _link(base: str, entry: str, to: str) -> tuple[str, str]:
    which, _, text = entry.partition("=")
    provider, _, protocol = which.rpartition("/")
    where = f"identity_providers/{provider}/protocols/{protocol}/websso" if provider else f"websso/{protocol}"
    query = urllib.parse.urlencode({"origin": to})
    return f"{base}/auth/OS-FEDERATION/{where}?{query}", text or Text("Log in with {name}", name=provider or protocol)
