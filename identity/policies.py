"""Rules of the identity service, for the persons of OpenStack's default ones: administrators, who may do all; readers of
the system, who may see all; managers of a domain, who rule its users, groups and projects; readers of a domain; and users.
"""

_MANAGER = "(role:manager and domain_id:%(domain_id)s)"
_SEES = "rule:admin or (role:reader and system_scope:all)"
_DOMAIN = f"{_SEES} or (role:reader and domain_id:%(domain_id)s)"
_JOINS = f"rule:admin or ({_MANAGER} and domain_id:%(user_domain_id)s)"
# What a manager gives and takes are the roles up to his own, between what is in his domain.
_GIVES = ("(role:manager and domain_id:%(domain_id)s and domain_id:%(holder_domain_id)s and "
          "rule:domain_managed_target_role)")

_ADMIN_NOUNS = ("domain", "project", "user", "role", "region", "service", "endpoint", "grant", "role_assignment",
                "implied_role", "group", "policy", "credential", "registered_limit", "limit", "project_tag", "endpoint_group",
                "endpoint_filter", "domain_config", "consumer",
                "policy_association", "identity_provider", "protocol", "mapping", "service_provider")
RULES = [(f"identity:{verb}_{noun}", "rule:admin", f"{verb} a {noun}")
         for noun in _ADMIN_NOUNS for verb in ("list", "get", "create", "update", "delete")]
_SECRET = ("credential",)
_OPEN = {**{f"identity:{verb}_{noun}": _SEES for noun in _ADMIN_NOUNS if noun not in _SECRET for verb in ("list", "get")},
         **{f"identity:{verb}_{noun}": _DOMAIN for noun in ("user", "project", "group") for verb in ("list", "get")},
         **{f"identity:{verb}_{noun}": f"rule:admin or {_MANAGER}" for noun in ("user", "project", "group")
            for verb in ("create", "update", "delete")},
         **{f"identity:{verb}_grant": f"{_SEES} or (role:reader and domain_id:%(domain_id)s and domain_id:%(holder_domain_id)s)"
            for verb in ("list", "get")},
         **{f"identity:{verb}_grant": f"rule:admin or {_GIVES}" for verb in ("create", "delete")},
         **{f"identity:{verb}_role": f"{_SEES} or (role:manager and domain_scoped:yes)" for verb in ("list", "get")},
         "identity:get_user": f"{_DOMAIN} or user_id:%(user_id)s",
         "identity:get_project": f"{_DOMAIN} or project_id:%(project_id)s",
         "identity:get_domain": f"{_SEES} or domain_id:%(domain_id)s or token_domain_id:%(domain_id)s",
         **{f"identity:{verb}_credential": "rule:admin or user_id:%(user_id)s"
            for verb in ("list", "get", "create", "update", "delete")},
         "identity:list_registered_limit": "", "identity:get_registered_limit": "",
         "identity:list_limit": "", "identity:get_limit": f"{_SEES} or project_id:%(project_id)s",
         **{f"identity:{verb}_project_tag": f"{_SEES} or project_id:%(project_id)s" for verb in ("list", "get")},
         "identity:list_region": "", "identity:get_region": "",
         "identity:list_role_assignment": f"{_SEES} or user_id:%(user_id)s"}
RULES = [(n, _OPEN.get(n, c), d) for n, c, d in RULES] + [
    ("domain_managed_target_role", "'manager':%(role_name)s or 'member':%(role_name)s or 'reader':%(role_name)s",
     "which roles a domain's manager gives and takes; who holds any other is not his to change"),
    ("identity:list_user_projects", "rule:admin or user_id:%(user_id)s", "list the projects of a user"),
    ("identity:add_user_to_group", _JOINS, "put a user into a group"),
    ("identity:check_user_in_group", f"{_DOMAIN} or user_id:%(user_id)s", "see whether a user is in a group"),
    ("identity:remove_user_from_group", _JOINS, "take a user out of a group"),
    ("identity:list_users_in_group", _DOMAIN, "list the members of a group"),
    ("identity:list_groups_for_user", "rule:admin or user_id:%(user_id)s", "list the groups of a user"),
    *[(f"identity:{name}", "rule:admin or user_id:%(user_id)s", text) for name, text in (
        ("list_application_credentials", "list a user's application credentials"),
        ("get_application_credential", "show an application credential"),
        ("delete_application_credential", "end an application credential"), ("list_access_rules", "list a user's access rules"),
        ("get_access_rule", "show an access rule"), ("delete_access_rule", "delete an access rule"))],
    *[(f"identity:{name}", "rule:admin or user_id:%(user_id)s", text) for name, text in (
        ("list_access_tokens", "list what a user gave to consumers"), ("get_access_token", "show an access token of OAuth"),
        ("list_access_token_roles", "list an access token's roles"), ("delete_access_token", "end an access token"))],
    ("identity:get_domain_config_default", "rule:admin", "show what holds for domains without a configuration"),
    ("identity:list_trusts", "rule:admin", "list all trusts"),
    ("identity:list_trusts_of_user", "rule:admin or user_id:%(user_id)s", "list the trusts of a user"),
    ("identity:exchange_signature", "rule:service", "have a signed request checked, and get its signer's token"),
    ("identity:validate_token", "rule:service or user_id:%(user_id)s", "look into a token"),
    ("identity:revoke_token", "rule:admin or user_id:%(user_id)s", "revoke a token"),
    ("identity:list_revoke_events", "rule:service", "pull revocation events"),
]
