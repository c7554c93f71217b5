"""Query parameters of the placement API."""

import re

from common import errors, values
from compute_api.placement.groups import Candidates, Conditions, Group

_BAD_VALUE, _MISSING, _DUPLICATE = "placement.query.bad_value", "placement.query.missing_value", "placement.query.duplicate_key"
_GROUPED = ("resources", "required", "member_of", "in_tree")
# Microversions since which there are: traits that are forbidden, one of several traits, forbidden aggregates, several member_of.
_FORBIDDEN_TRAITS, _ANY_TRAIT, _FORBIDDEN_AGGREGATES, _SEVERAL_AGGREGATES = (1, 22), (1, 39), (1, 32), (1, 24)
_WIDE = {"limit": 16, "group_policy": 25, "root_required": 35, "same_subtree": 36}  # of candidates: since which minor version
_GROUP_SINCE = {"resources": 10, "required": 17, "member_of": 21, "in_tree": 31}
_GROUPS, _NAMED_GROUPS, _SUBTREES = (1, 25), (1, 33), (1, 36)


def check(req, since: dict[str, int]) -> None:
    """:param since: {parameter: the minor version that brought it}. :raises BadRequest: another one was given"""
    for name in req.GET:
        if since.get(name, req.version[1] + 1) > req.version[1]:
            raise errors.BadRequest(f"Invalid query string parameters: Additional properties are not allowed ('{name}' was "
                                    "unexpected)")


def uuid(given: str | None, name: str) -> str | None:
    """An id in its canonical form. :raises BadRequest: it is none"""
    if given is None:
        return None
    try:
        return values.uuid(given.strip(), name)
    except errors.BadRequest:
        raise errors.BadRequest(f"Invalid query string parameters: Expected '{name}' parameter to be a format of uuid. "
                                f"Got: {given}")


def _resources(text: str) -> dict[str, int]:
    """{resource class: amount} of "VCPU:2,MEMORY_MB:1024". :raises BadRequest: it has another form"""
    found = {}
    for item in text.split(","):
        name, _, amount = item.partition(":")
        if not name or not amount or ":" in amount:
            raise errors.BadRequest("Badly formed resources parameter. Expected resources query string parameter in form: "
                                    f"?resources=VCPU:2,MEMORY_MB:1024. Got: {item or 'empty string'}.")
        if not re.fullmatch(r"\s*[+-]?[0-9]{1,18}\s*", amount):
            raise errors.BadRequest(f"Requested resource {name} expected positive integer amount. Got: {amount}.")
        if int(amount) < 1:
            raise errors.BadRequest(f"Requested resource {name} requires amount >= 1. Got: {int(amount)}.")
        found[name] = int(amount)
    return found


def _traits(req, given: list[str]) -> Conditions:
    """:raises BadRequest: a parameter has another form than its microversion knows"""
    if req.version < _ANY_TRAIT:
        given = given[-1:]
    required: list[frozenset[str]] = []
    forbidden: set[str] = set()
    for text in given:
        if text.startswith("in:"):
            required.append(_any_of(req, text))
            continue
        for item in (part.strip() for part in text.split(",")):
            if not item.lstrip("!") or item.startswith("!") and req.version < _FORBIDDEN_TRAITS:
                form = "HW_CPU_X86_VMX,!CUSTOM_MAGIC" if req.version >= _FORBIDDEN_TRAITS else "HW_CPU_X86_VMX,CUSTOM_MAGIC"
                raise errors.BadRequest("Invalid query string parameters: Expected 'required' parameter value of the form: "
                                        f"{form}. Got: {text}")
            if item.startswith("!"):
                forbidden.add(item.lstrip("!"))
            else:
                required.append(frozenset((item,)))
    return Conditions(tuple(required), frozenset(forbidden))


def _any_of(req, text: str) -> frozenset[str]:
    form = "The format 'in:HW_CPU_X86_VMX,CUSTOM_MAGIC'"
    if req.version < _ANY_TRAIT:
        raise errors.BadRequest(f"Invalid query string parameters: {form} only supported since microversion 1.39. Got: {text}")
    found = frozenset(part.strip() for part in text.removeprefix("in:").split(","))
    if "" in found:
        raise errors.BadRequest("Invalid query string parameters: Expected 'required' parameter value of the form: "
                                f"in:HW_CPU_X86_VMX,CUSTOM_MAGIC. Got an empty trait in: {text}")
    if any(name.startswith("!") for name in found):
        raise errors.BadRequest(f"Invalid query string parameters: {form} does not support forbidden traits. Got: {text}")
    return found


def _aggregates(req, suffix: str) -> Conditions:
    """:raises BadRequest: a parameter has another form than its microversion knows"""
    given = req.GET.getall("member_of" + suffix)
    if len(given) > 1 and req.version < _SEVERAL_AGGREGATES:
        raise errors.BadRequest(f"Multiple member_of{suffix} parameters are not supported")
    required: list[frozenset[str]] = []
    forbidden: set[str] = set()
    for text in given:
        plain = text.removeprefix("!")
        if "," in plain and not plain.startswith("in:"):
            raise errors.BadRequest("Multiple values for 'member_of' must be prefixed with the 'in:' or '!in:' keyword using the "
                                    f"valid microversion. Got: {text}")
        ids = frozenset(_aggregate(part) for part in plain.removeprefix("in:").split(","))
        if not text.startswith("!"):
            required.append(ids)
        elif req.version < _FORBIDDEN_AGGREGATES:
            raise errors.BadRequest(f"Forbidden member_of{suffix} parameters are not supported in the specified microversion")
        else:
            forbidden |= ids
    return Conditions(tuple(required), frozenset(forbidden))


def _aggregate(text: str) -> str:
    try:
        return values.uuid(text, "member_of")
    except errors.BadRequest:
        raise errors.BadRequest("Invalid query string parameters: Expected 'member_of' parameter to contain valid UUID(s). "
                                f"Got: {text}")


def group(req, suffix: str = "") -> Group:
    """The parameters with a suffix. :raises BadRequest: one of them has another form"""
    asked = req.GET.get("resources" + suffix)
    return Group({} if asked is None else _resources(asked), _traits(req, req.GET.getall("required" + suffix)),
                 _aggregates(req, suffix), uuid(req.GET.get("in_tree" + suffix), "in_tree"))


def _suffixes(req) -> list[str]:
    """The suffixes of all groups, in the order in which they were given. :raises BadRequest: of a parameter that is unknown"""
    shape = "[a-zA-Z0-9_-]{1,64}" if req.version >= _NAMED_GROUPS else "[1-9][0-9]*" if req.version >= _GROUPS else ""
    pattern = re.compile(f"({'|'.join(_GROUPED)})({shape})?" if shape else f"({'|'.join(_GROUPED)})()")
    plain, found = {}, []
    for name in req.GET:
        match = None if name in _WIDE else pattern.fullmatch(name)
        plain[name] = _GROUP_SINCE[match[1]] if match else _WIDE.get(name, req.version[1] + 1)
        if match and (match[2] or "") not in found:
            found.append(match[2] or "")
    check(req, plain)
    return found


def candidates(req) -> Candidates:
    """:raises BadRequest: the parameters do not make a request for candidates"""
    suffixes = _suffixes(req)
    if req.version < _GROUPS and "resources" not in req.GET:
        raise errors.BadRequest("Invalid query string parameters: 'resources' is a required property")
    limit, policy = req.GET.get("limit"), req.GET.get("group_policy")
    if limit is not None and not re.fullmatch("[1-9][0-9]{0,17}", limit):
        raise errors.BadRequest(f"Invalid query string parameters: {limit!r} does not match '^[1-9][0-9]*$'")
    if policy not in (None, "none", "isolate"):
        raise errors.BadRequest(f"Invalid query string parameters: {policy!r} is not one of ['none', 'isolate']")
    root, subtrees, groups = _root(req), _subtrees(req), {suffix: group(req, suffix) for suffix in suffixes}
    _check_groups(req, groups, subtrees)
    if policy is None and sum(1 for suffix in groups if suffix) > 1:
        raise errors.BadRequest('The "group_policy" parameter is required when specifying more than one "resources{N}" '
                                "parameter.")
    return Candidates(groups, policy == "isolate", root, None if limit is None else int(limit))


def _root(req) -> Conditions:
    given = req.GET.getall("root_required")
    if len(given) > 1:
        raise errors.BadRequest("Query parameter 'root_required' may be specified only once.", kind=_DUPLICATE)
    if given and given[0].startswith("in:"):
        raise errors.BadRequest("Invalid query string parameters: The format 'in:HW_CPU_X86_VMX,CUSTOM_MAGIC' is not supported "
                                f"in root_required. Got: {given[0]}")
    found = _traits(req, given)
    if conflicts := found.conflicts():
        raise errors.BadRequest(f"Conflicting required and forbidden traits found in root_required: {', '.join(conflicts)}",
                                kind=_BAD_VALUE)
    return found


def _subtrees(req) -> set[str]:
    """The suffixes of groups that one subtree must meet. A host is a tree of one provider, so that it always does."""
    found = {part.strip() for text in req.GET.getall("same_subtree") for part in text.split(",")}
    if "" in found:
        raise errors.BadRequest("Empty string (unsuffixed group) can not be specified in `same_subtree` ", kind=_BAD_VALUE)
    return found


def _check_groups(req, groups: dict[str, Group], subtrees: set[str]) -> None:
    without = [suffix for suffix, each in groups.items() if not each.resources]
    if req.version >= _SUBTREES:
        if len(without) == len(groups):
            raise errors.BadRequest("There must be at least one resources or resources[$S] parameter.", kind=_MISSING)
        if bad := [suffix for suffix in without if suffix not in subtrees]:
            raise errors.BadRequest("Resourceless suffixed group request should be specified in `same_subtree` query param: bad "
                                    f"group(s) - {bad}.", kind=_BAD_VALUE)
        if bad := sorted(subtrees - set(groups)):
            raise errors.BadRequest(f"Real suffixes should be specified in `same_subtree`: {bad} not found in {list(groups)}.",
                                    kind=_BAD_VALUE)
    elif without:
        orphans = [f"required{s}" for s in without if groups[s].traits.required]
        raise errors.BadRequest("All traits parameters must be associated with resources.  Found the following orphaned traits "
                                f"keys: {', '.join(orphans)}" if orphans else "All request groups must specify resources.")
    elif not groups:
        raise errors.BadRequest("At least one request group (`resources` or `resources{$S}`) is required.")
    if req.version >= _FORBIDDEN_TRAITS:
        found = sorted(f"required{s}: ({text})" for s, each in groups.items() for text in each.traits.conflicts())
        if found:
            raise errors.BadRequest("Conflicting required and forbidden traits found in the following traits keys: "
                                    + ", ".join(found))
