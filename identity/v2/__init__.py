"""The identity API v2.0, for old clients: the default domain, with the same rows and policies as v3.

Projects are called tenants. ``/v2.0`` is on both ports: at the admin port it lists all tenants, at the other those of
the caller.
"""
