"""Features of Glance's API that are not supported."""

from common.unsupported import Part, Table

TABLE = Table("/v2", [
    Part("/cache/clean", "cleaning the image cache by request (it is cleaned automatically)"),
    Part("/cache/prune", "pruning the image cache by request (it is pruned automatically)"),
    Part("/cache/nodes", "lists of a node's cached images"),
])
