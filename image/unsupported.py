"""What Glance's API has and this one does not."""

from common.unsupported import Part, Table

TABLE = Table("/v2", [
    Part("/cache/clean", "cleaning its image cache by request (it cleans it itself)"),
    Part("/cache/prune", "pruning its image cache by request (it prunes it itself)"),
    Part("/cache/nodes", "lists of one node's cached images"),
])
