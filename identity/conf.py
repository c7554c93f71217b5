"""Options of the identity service."""

from oslo_config import cfg

OPTS = {"identity": [
    cfg.IntOpt("token_expiration", default=3600, min=60, max=604800,
               help="Seconds that a token lives. Revocation events are kept that long."),
    cfg.IntOpt("password_hash_rounds", default=12, min=4, max=16,
               help="bcrypt cost; each step doubles the CPU time of a login (12: about 0.25 s)."),
    cfg.IntOpt("max_password_length", default=72, min=8, max=72, help="Longest password, bytes; bcrypt reads 72."),
], "security_compliance": [
    cfg.IntOpt("lockout_failure_attempts", min=1, help="Wrong passwords in a row that lock an account; unset: none do."),
    cfg.IntOpt("lockout_duration", default=1800, min=1, help="Seconds for which an account is locked."),
    cfg.IntOpt("password_expires_days", min=1, help="Days after which a password must be changed; unset: never."),
    cfg.IntOpt("unique_last_password_count", default=0, min=0, max=24,
               help="How many of a user's last passwords a new one must differ from, the present one among them."),
    cfg.IntOpt("minimum_password_age", default=0, min=0, help="Days before a user may change a password again."),
    cfg.StrOpt("password_regex", help="What a password must match; unset: anything."),
    cfg.StrOpt("password_regex_description", default="", help="The same in words, for who is refused."),
    cfg.BoolOpt("change_password_upon_first_use", default=False,
                help="A password that an administrator set lets its user in only to change it."),
    cfg.IntOpt("disable_user_account_days_inactive", min=1, help="Days without a login after which an account is disabled."),
]}
