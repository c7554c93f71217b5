"""Options of the dashboard."""

from oslo_config import cfg

OPTS = {"dashboard": [
    cfg.StrOpt("secret", default="", secret=True, help="Key that encrypts sessions: 64 hexadecimal digits."),
    cfg.PortOpt("http_port", default=0, help="Additional port, which browsers use by default; 0: only bind_port."),
    cfg.IntOpt("session_s", default=3600 * 8, min=60, help="Maximum duration of a session in seconds; it ends earlier if "
                                                          "its token expires."),
    cfg.IntOpt("login_attempts", default=5, min=1,
               help="Number of failed logins to one account from one address that are allowed within login_window_s."),
    cfg.IntOpt("login_attempts_of_source", default=30, min=1,
               help="Number of failed logins from one address, to any accounts, within login_window_s. Behind a proxy, "
                    "all have its address."),
    cfg.IntOpt("login_window_s", default=300, min=1, help="Seconds for which a failed login counts."),
    cfg.ListOpt("websso", default=[], item_type=cfg.types.String(regex=r"[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)?(=.+)?"),
                help="Federated logins that the login page offers: PROTOCOL or PROVIDER/PROTOCOL, with =TEXT for the button."),
    cfg.URIOpt("websso_url", schemes=["http", "https"],
               help="The identity API as browsers reach it, such as https://cloud.example.org:5000/v3: needed for websso."),
]}
