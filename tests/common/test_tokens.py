"""Signed tokens and their revocation."""

import time

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from common import errors, tokens
from common.context import Context

KEY = ec.generate_private_key(ec.SECP256R1())


def context(**values):
    now = time.time()
    base = {"user_id": "u", "user_name": "ann", "user_domain_id": "d", "project_id": "p", "audit_ids": ("a", "chain"),
            "roles": ("member",), "issued_at": now, "expires_at": now + 60, "methods": ("password",)}
    return Context(**{**base, **values})


def verifier():
    return tokens.Verifier({"k": KEY.public_key()})


def test_round_trip_keeps_everything():
    ctx = context(system=True, domain_id="d")
    seen = verifier().check(tokens.sign(ctx, KEY, "k"))
    for name in ("user_id", "user_name", "project_id", "roles", "audit_ids", "system", "expires_at", "methods"):
        assert getattr(seen, name) == getattr(ctx, name)


@pytest.mark.parametrize("spoil", [
    lambda t: t[:-4] + "AAAA", lambda t: "", lambda t: "a.b.c", lambda t: t + "x" * 9000,
    lambda t: tokens.sign(context(), ec.generate_private_key(ec.SECP256R1()), "k"),
    lambda t: tokens.sign(context(), KEY, "unknown"),
    lambda t: tokens.sign(context(issued_at=1, expires_at=2), ec.generate_private_key(ec.SECP256R1()), "k")])
def test_bad_tokens_are_refused_alike(spoil):
    with pytest.raises(errors.Unauthorized) as refused:
        verifier().check(spoil(tokens.sign(context(), KEY, "k")))
    assert refused.value.public == errors.Unauthorized.message


def test_an_expired_token_is_reported_as_expired():
    with pytest.raises(errors.Unauthorized, match="The token has expired"):
        verifier().check(tokens.sign(context(issued_at=1, expires_at=2), KEY, "k"))


def test_a_token_that_expires_while_cached_is_refused():
    check, token = verifier(), tokens.sign(context(expires_at=time.time() + 1.1), KEY, "k")
    check.check(token)
    time.sleep(1.2)
    with pytest.raises(errors.Unauthorized, match="The token has expired"):
        check.check(token)


@given(st.lists(st.sampled_from(["audit_id:a", "audit_chain_id:chain", "user_id:u", "project_id:p", "domain_id:d",
                                 "audit_id:other", "user_id:other", "both:u:p", "both:u:q"]), max_size=6),
       st.integers(min_value=-50, max_value=50))
def test_revoked_exactly_when_an_event_names_it_and_is_not_older(names, shift):
    ctx, check = context(), tokens.Revocations()
    events, hit = [], False
    for i, name in enumerate(names):
        kind, _, value = name.partition(":")
        at = ctx.issued_at + shift
        event = {"id": i + 1, "issued_before": at, "expires_at": at + 60}
        if kind == "both":
            user, _, project = value.partition(":")
            event.update(user_id=user, project_id=project)
            names_it = (user, project) == ("u", "p")
        else:
            event[kind] = value
            names_it = value in ("a", "chain", "u", "p", "d")
        hit = hit or (names_it and ctx.issued_at <= at)
        events.append(event)
    check.add(events)
    assert check.revoked(ctx) == hit
