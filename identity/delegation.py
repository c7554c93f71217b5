"""What a token that was made of a trust or of an application credential may not do, whatever its roles are."""

from common import errors
from common.context import Context


def unrestricted(ctx: Context) -> None:
    """:raises Forbidden: it is of an application credential that may not make or end others, or trusts; or of a consumer"""
    if ctx.oauth:
        none(ctx)
    if ctx.app_credential and ctx.app_credential[1]:
        raise errors.Forbidden("Invalid application credential: Could not validate: method is not allowed for application "
                               "credentials that are not unrestricted.")


def none(ctx: Context) -> None:
    """For what would outlast the delegation, or give more than it does: secrets that open other doors to all that the
    user has (as in CVE-2020-12689 and CVE-2020-12691).

    :raises Forbidden: the caller acts for the user, and is not him
    """
    if ctx.delegated:
        raise errors.Forbidden(f"This is not for who acts by {ctx.delegated}.")
