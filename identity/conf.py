"""Options of the identity service."""

from oslo_config import cfg

OPTS = {"identity": [
    cfg.IntOpt("token_expiration", default=3600, min=60, max=604800,
               help="Seconds that a token lives. Revocation events are kept that long."),
    cfg.IntOpt("password_hash_rounds", default=12, min=4, max=16,
               help="bcrypt cost; each step doubles the CPU time of a login (12: about 0.25 s)."),
    cfg.IntOpt("max_password_length", default=72, min=8, max=72, help="Longest password, bytes; bcrypt reads 72."),
]}
