"""The identity API v2.0, for clients of old: the default domain as they know it, over the same rows and rules as v3.

Projects are tenants here. ``/v2.0`` is on both ports; who asks at the admin port sees all tenants, at the other his own.
"""
