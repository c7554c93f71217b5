"""Code shared by all services. Imports none of them."""

import warnings

# Only entry modules import eventlet, so that it can be replaced; its deprecation notice is not for users.
warnings.filterwarnings("ignore", message=r"\s*Eventlet is deprecated")
