"""What a token that acts for a user may not do in this service, whatever its roles are.

Such a token was made from less than the user's own login: a trust, an application credential, a consumer's access token
(OAuth 1) or a signature by an EC2 key. It must not reach what would give it more, last longer, or end what the user gave
to others: his credentials, application credentials, trusts, access tokens and his own account. ``handlers/delegated.py`` puts
the rules below around every route, those of v2.0 too, before the handler and before anything is looked up, so that the answer
does not tell what exists.

Source: Keystone's rules after OSSA-2026-005 and CVE-2026-42998 to 43000, and stricter where these let such a token read
another secret of its user's.
"""

import re
import typing

from common import errors
from common.context import Context

_UNRESTRICTED_ONLY = ("Invalid application credential: Could not validate: method is not allowed for application credentials "
                      "that are not unrestricted.")


def _refuse(ctx: Context) -> typing.NoReturn:
    raise errors.Forbidden(f"A token from {ctx.delegated} cannot be used for this request.")


def own_login(ctx: Context, method: str, params: dict) -> None:
    """For the user's own login only."""
    _refuse(ctx)


def application_credentials(ctx: Context, method: str, params: dict) -> None:
    """Application credentials may be looked at with one; only an unrestricted one makes or ends others."""
    if not ctx.app_credential:
        _refuse(ctx)
    if ctx.app_credential[1] and method not in ("GET", "HEAD"):
        raise errors.Forbidden(_UNRESTRICTED_ONLY)


def trusts(ctx: Context, method: str, params: dict) -> None:
    """A trust's token may list, see and end the trust that it was made of, and no other. It cannot be passed on."""
    if not ctx.trust or method == "POST" or params.get("id", ctx.trust_id) != ctx.trust_id:
        _refuse(ctx)


def account(ctx: Context, method: str, params: dict) -> None:
    """A token that acts for a user cannot change the user's password or options, even as an administrator."""
    if method not in ("GET", "HEAD") and params.get("id") in (ctx.user_id, *ctx.trust[1:]):
        _refuse(ctx)


Rule = typing.Callable[[Context, str, dict], None]
# The first pattern that matches a route's path decides; a path that none matches is open to such tokens.
RULES: list[tuple[re.Pattern, Rule]] = [(re.compile(path), rule) for path, rule in (
    (r"/v3/credentials(/.*)?", own_login),
    (r"/v(3|2\.0)/users/\{id\}/credentials/.*", own_login),
    (r"/v3/users/\{id\}/(application_credentials|access_rules)(/.*)?", application_credentials),
    (r"/v3/users/\{id\}/OS-OAUTH1/.*", own_login),
    (r"/v3/OS-OAUTH1/authorize/.*", own_login),
    (r"/v3/OS-TRUST/.*", trusts),
    (r"/v(3|2\.0)/users/\{id\}(/enabled|/tokens|/OS-KSADM/.*)?", account),
    (r"/v2\.0/OS-KSCRUD/users/\{id\}", account))]


def rule_of(path: str) -> Rule | None:
    """:param path: a route's template"""
    return next((rule for pattern, rule in RULES if pattern.fullmatch(path)), None)


def refuse_signature(ctx: Context) -> None:
    """A token from an EC2 signature is for the other services: here it opens nothing, as in Keystone (change 910ebab06).

    :raises Forbidden: the caller shows one
    """
    if "ec2credential" in ctx.methods:
        raise errors.Forbidden("EC2 credential tokens cannot be used for authorization.")
