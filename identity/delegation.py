"""Restrictions in this service on tokens that act for a user, regardless of their roles.

Such a token was not created by the user's own login, but by a trust, an application credential, a consumer's access
token (OAuth 1) or an EC2 signature. It must not reach anything that would give it more rights, that lasts longer, or
that the user gave to others: the user's credentials, application credentials, trusts, access tokens and account.
``handlers/delegated.py`` applies these rules to every route, including v2.0, before the handler and any lookup, so
that the response does not reveal what exists.

Source: Keystone's rules after OSSA-2026-005 and CVE-2026-42998 to 43000; stricter where these would let such a token
read another secret of its user.
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
    """Only for the user's own login."""
    _refuse(ctx)


def application_credentials(ctx: Context, method: str, params: dict) -> None:
    """Application credentials can be read with one; only an unrestricted one can create or delete others."""
    if not ctx.app_credential:
        _refuse(ctx)
    if ctx.app_credential[1] and method not in ("GET", "HEAD"):
        raise errors.Forbidden(_UNRESTRICTED_ONLY)


def trusts(ctx: Context, method: str, params: dict) -> None:
    """A trust's token may list, show and delete the trust that it was created from, and no other. It cannot be delegated."""
    if not ctx.trust or method == "POST" or params.get("id", ctx.trust_id) != ctx.trust_id:
        _refuse(ctx)


def account(ctx: Context, method: str, params: dict) -> None:
    """A token that acts for a user cannot change the user's password or options, even as an administrator."""
    if method not in ("GET", "HEAD") and params.get("id") in (ctx.user_id, *ctx.trust[1:]):
        _refuse(ctx)


Rule = typing.Callable[[Context, str, dict], None]
# The first pattern that matches a route's path decides; other paths are not restricted.
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
    """A token from an EC2 signature is only valid in other services, as in Keystone (change 910ebab06).

    :raises Forbidden: the caller has such a token
    """
    if "ec2credential" in ctx.methods:
        raise errors.Forbidden("EC2 credential tokens cannot be used for authorization.")
