"""What every Pileus service shares. Imports no service."""

import warnings

# DESIGN keeps eventlet behind the entry modules, so that it can be replaced; its notice is no news to users.
warnings.filterwarnings("ignore", message=r"\s*Eventlet is deprecated")
