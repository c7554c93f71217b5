"""Policy: oslo.policy rules declared per service, checked in the service layer."""

import functools
import inspect
import logging
import pathlib
import time
from collections.abc import Callable, Iterator, Sequence

from oslo_policy import policy as oslo_policy

from common import errors
from common.conf import etc_dir

LOG = logging.getLogger(__name__)
RELOAD_S = 1.0  # a change of the file takes effect within this time
MAX_CACHED_DECISIONS = 4096


def rule(name: str, check: str, description: str, *operations: str, scopes: tuple[str, ...] = ("project",)
         ) -> oslo_policy.RuleDefault:
    """A rule, with the texts for the sample file and the reference page.

    :param operations: the requests that check it, as "GET /servers/{server_id}"; none for a rule that only other rules refer to
    :param scopes: a subset of "system", "domain" and "project"; tokens of another scope are refused, whatever their roles.
        Empty: tokens of every scope are accepted
    """
    if not operations:
        return oslo_policy.RuleDefault(name, check, description)
    asked = [operation.split(" ", 1) for operation in operations]
    return oslo_policy.DocumentedRuleDefault(
        name, check, description, [{"method": method, "path": path} for method, path in asked], scope_types=list(scopes) or None)


class Policy:
    """The rules of one service. An operator's ``<service>-policy.yaml`` overrides them and is reloaded when it changes.

    :param rules: made by :func:`rule`
    :raises ValueError, OSError: the file cannot be read. The defaults do not replace it: they may allow more than it does
    """

    refusal = errors.Forbidden.message  # text of a refusal; services may override it

    def __init__(self, service: str, rules: Sequence[oslo_policy.RuleDefault], conf):
        override = pathlib.Path(conf.state_path) / "etc" / f"{service}-policy.yaml"
        shipped = etc_dir() / f"{service}-policy.yaml"
        self._path = shipped if shipped.exists() and not override.exists() else override
        self.names = {r.name for r in rules}
        self.enforcer = oslo_policy.Enforcer(conf, policy_file=str(self._path), use_conf=True)
        self.enforcer.suppress_deprecation_warnings = True
        self.enforcer.register_defaults(list(rules))
        self._scopes = {r.name: r.scope_types for r in rules if r.scope_types}
        self._defaults = oslo_policy.Rules({r.name: r.check for r in rules})
        # The rules in force, and a cache of compiled checks, functions of (target, credentials). Both are replaced together, so
        # that no function of old rules is used with the new ones.
        self._in_force: tuple[oslo_policy.Rules, dict[str, Callable[[dict, dict], bool]]] = (self._defaults, {})
        # Decisions since the file was last checked: the same caller often repeats the same requests.
        self._decided: dict[tuple, bool] = {}
        self._until = 0.0
        self._seen: tuple | None = None  # times, size and inode of the file when it was last read; None: there was none
        self._load_if_changed()

    def allows(self, ctx, rule: str, target: dict | None = None) -> bool:
        target = target if target is not None else {"project_id": ctx.project_id}
        if time.monotonic() > self._until or len(self._decided) > MAX_CACHED_DECISIONS:
            self._reload()
        decided = self._decided
        key = (rule, ctx.roles, ctx.project_id, ctx.user_id, ctx.domain_id, ctx.project_domain_id, ctx.user_domain_id, ctx.system,
               *target.items())
        try:
            found = decided.get(key)
        except TypeError:  # a client's value in the target is unhashable, such as a list
            return self._decide(ctx, rule, target)
        if found is None:
            found = decided[key] = self._decide(ctx, rule, target)
        return found

    def _reload(self) -> None:
        """Reload the file if it has changed. While it cannot be read, the previous rules stay in force."""
        self._decided, self._until = {}, time.monotonic() + RELOAD_S
        try:
            self._load_if_changed()
        except (ValueError, OSError) as error:
            LOG.error("%s cannot be read, the previous rules stay in force: %s", self._path, error)

    def _load_if_changed(self) -> None:
        """Read the file if it has changed; also if an older copy was put back, which has an older time.

        :raises ValueError, OSError: it cannot be read
        """
        try:
            stat = self._path.stat()
        except FileNotFoundError:
            if self._seen is not None:
                self._seen, self._in_force = None, (self._defaults, {})
            return
        seen = stat.st_mtime_ns, stat.st_ctime_ns, stat.st_size, stat.st_ino
        if seen != self._seen:
            self._seen = seen  # also if it cannot be read, so that the error is logged once
            self._in_force = self._read(), {}

    def _read(self) -> oslo_policy.Rules:
        """:raises ValueError, OSError: the file cannot be read, or something in it is not a rule"""
        text = self._path.read_text()
        given = oslo_policy.parse_file_contents(text)
        if not isinstance(given, dict):
            raise ValueError("it is not a mapping of rule names to rules")
        for name, check in given.items():
            # oslo.policy would treat null or false as a rule that allows everything.
            if not isinstance(name, str) or not isinstance(check, (str, list)):
                raise ValueError(f"the rule {name} is not text")
        try:
            rules = oslo_policy.Rules({**self._defaults, **oslo_policy.Rules.load(text)}, self.enforcer.default_rule)
        except (TypeError, AttributeError) as error:
            raise ValueError(f"a rule is not text: {error}") from error
        _check_cycles(rules)
        return rules

    def _decide(self, ctx, rule: str, target: dict) -> bool:
        scope = "system" if ctx.system else "domain" if ctx.domain_id else "project"
        credentials = {k: v for k, v in _credentials(ctx).items() if v is not None}
        # Rules check "not domain_id:None" for a domain-scoped token.
        credentials["domain_id"] = ctx.domain_id
        # An attribute missing in the target must not match one missing in the token.
        target = {k: v for k, v in target.items() if v is not None}
        found = scope in self._scopes.get(rule, (scope,)) and self._ask(rule, target, credentials)
        LOG.debug("%s %s: roles %s, scope %s, target %s", "allowed" if found else "refused", rule, ctx.roles, scope, target)
        return found

    def _ask(self, rule: str, target: dict, credentials: dict) -> bool:
        rules, functions = self._in_force
        function = functions.get(rule)
        if function is None:
            try:
                check = rules[rule]
            except KeyError:  # an undeclared rule allows nothing
                return False
            function = functions[rule] = self._compile(check)
        return function(target, credentials)

    def _compile(self, check) -> Callable[[dict, dict], bool]:
        """Compile a check to a function. oslo.policy inspects the signature of each part of a check at every decision, which
        takes most of its time (0.5 ms per decision); here that is done once.
        """
        if isinstance(check, oslo_policy.RuleCheck):
            return functools.partial(self._ask, check.match)
        if isinstance(check, oslo_policy.NotCheck):
            inner = self._compile(check.rule)
            return lambda target, credentials: not inner(target, credentials)
        if isinstance(check, (oslo_policy.AndCheck, oslo_policy.OrCheck)):
            parts, every = [self._compile(part) for part in check.rules], isinstance(check, oslo_policy.AndCheck)
            if every:
                return lambda target, credentials: all(part(target, credentials) for part in parts)
            return lambda target, credentials: any(part(target, credentials) for part in parts)
        names_rule = len(inspect.signature(check).parameters) == 4
        more = (self.enforcer, None) if names_rule else (self.enforcer,)
        return lambda target, credentials: bool(check(target, credentials, *more))

    def is_admin(self, ctx) -> bool:
        """Whether the caller is a cloud administrator."""
        return self.allows(ctx, "context_is_admin", {})

    def sees_all_projects(self, ctx) -> bool:
        """Whether the caller sees the resources of all projects: an administrator or a service. Other rules decide what it may
        do."""
        return self.is_admin(ctx) or self.allows(ctx, "service_api", {})

    def check(self, ctx, rule: str, target: dict | None = None) -> None:
        """:raises Forbidden: the rule refuses"""
        if not self.allows(ctx, rule, target):
            raise errors.Forbidden(self.refusal % {"rule": rule})


def _referenced(check) -> Iterator[str]:
    """The names of the rules that a check refers to."""
    if isinstance(check, oslo_policy.RuleCheck):
        yield check.match
    parts = [check.rule] if isinstance(check, oslo_policy.NotCheck) else getattr(check, "rules", ())
    for part in parts:
        yield from _referenced(part)


def _check_cycles(rules: oslo_policy.Rules) -> None:
    """:raises ValueError: a rule refers to itself, directly or through others"""
    known: set[str] = set()

    def walk(name: str, above: tuple[str, ...]) -> None:
        if name in above:
            raise ValueError(f"the rule {name} refers to itself: {' -> '.join((*above[above.index(name):], name))}")
        if name not in known and name in rules:
            for other in _referenced(rules[name]):
                walk(other, (*above, name))
            known.add(name)
    for name in rules:
        walk(name, ())


def _credentials(ctx) -> dict:
    """The caller's attributes for checks; ``token`` is nested as in Keystone's rules: token.project.domain.id."""
    token: dict = {"user": {"id": ctx.user_id, "domain": {"id": ctx.user_domain_id}}}
    if ctx.project_id:
        token["project"] = {"id": ctx.project_id, "domain": {"id": ctx.project_domain_id}}
    if ctx.domain_id:
        token["domain"] = {"id": ctx.domain_id}
    system = "all" if ctx.system else None
    return {"roles": list(ctx.roles), "user_id": ctx.user_id, "user_domain_id": ctx.user_domain_id,
            "project_id": ctx.project_id, "project_domain_id": ctx.project_domain_id,
            "system_scope": system, "system": system, "token": token, "service_roles": ["service"] if ctx.by_service else []}
