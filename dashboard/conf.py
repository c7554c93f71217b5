"""Options of the dashboard."""

from oslo_config import cfg

OPTS = {"dashboard": [
    cfg.StrOpt("secret", default="", secret=True, help="Key that seals sessions; 64 hexadecimal digits."),
    cfg.PortOpt("http_port", default=0, help="Also listen at this port, as browsers expect; 0: only at bind_port."),
    cfg.IntOpt("session_s", default=3600 * 8, min=60, help="Seconds after which a browser must log in again, at the latest; "
                                                          "a session never outlives its token."),
]}
