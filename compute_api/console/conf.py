"""Options of the console proxy."""

from oslo_config import cfg

OPTS = {"console": [
    cfg.ListOpt("allowed_origins", default=[],
                help="Origins of other web sites, such as Horizon, whose pages may open consoles and embed the proxy's pages: "
                     "https://HOST or https://HOST:PORT. The proxy's own pages always may."),
]}
