"""Notifications about resources, sent over the bus to subscribers such as metering, billing and audit.

Off unless ``[oslo_messaging_notifications] driver`` is set. With ``messagingv2``, each is a message on the queue
``notifications.info`` in OpenStack's envelope: event_type, publisher_id, payload, priority, timestamp, message_id. Notifications
are sent after the commit; one that the bus does not take is logged and lost, and nothing waits for it. Event types are
OpenStack's: ``compute.instance.create.end``, ``volume.delete.end``, ``identity.user.created``, ``port.update.end``,
``image.upload``.

Whether they are enabled or not, those who watch are told what kind of thing changed in which project: see ``common.changes``.
"""

import datetime
import logging

import oslo_messaging as messaging

from common.changes import Changes, kind_of, project_of
from common.rpc import Serializer, transport

LOG = logging.getLogger(__name__)


class Notifier:
    """The notifier of one daemon. ``on`` is False if notifications are disabled; then payloads need not be built."""

    def __init__(self, conf, publisher: str):
        transport(conf)  # registers the options that the next line reads
        carrier = messaging.get_notification_transport(conf)
        self.on = any(d not in ("", "noop") for d in conf.oslo_messaging_notifications.driver)
        self._notifier = messaging.Notifier(carrier, f"{publisher}.{conf.host}", serializer=Serializer(), retry=1)
        self._changes = Changes(conf)

    def changed(self, ctx, event_type: str, payload: dict | None = None) -> None:
        """Tell those who watch, where ``notify`` is not called because nobody reads notifications."""
        self._changes.note(kind_of(event_type), project_of(ctx, payload or {}))

    def notify(self, ctx, event_type: str, payload: dict, *, error: bool = False) -> None:
        """:param payload: plain values; moments become ISO 8601 text"""
        self.changed(ctx, event_type, payload)
        if not self.on:
            return
        plain = {k: v.isoformat() if isinstance(v, datetime.datetime) else v for k, v in payload.items()}
        try:
            (self._notifier.error if error else self._notifier.info)(ctx, event_type, plain)
        except Exception as problem:  # boundary: a failed notification must not affect the operation
            LOG.warning("notification %s was not sent: %s", event_type, problem)
