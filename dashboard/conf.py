"""Options of the dashboard."""

from oslo_config import cfg

OPTS = {"dashboard": [
    cfg.StrOpt("secret", default="", secret=True, help="Key that seals sessions; 64 hexadecimal digits."),
    cfg.PortOpt("http_port", default=0, help="Also listen at this port, as browsers expect; 0: only at bind_port."),
    cfg.IntOpt("session_s", default=3600 * 8, min=60, help="Seconds after which a browser must log in again, at the latest; "
                                                          "a session never outlives its token."),
    cfg.IntOpt("login_attempts", default=5, min=1,
               help="Wrong logins to one account from one address that are let through within login_window_s."),
    cfg.IntOpt("login_attempts_of_source", default=30, min=1,
               help="Wrong logins from one address, to whatever accounts. Behind a proxy all come from its address."),
    cfg.IntOpt("login_window_s", default=300, min=1, help="Seconds for which a wrong login counts."),
]}
