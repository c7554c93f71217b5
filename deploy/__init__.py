"""Installation, monitoring, audit and removal of a cloud."""
