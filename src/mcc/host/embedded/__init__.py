"""mcc's own service manager, for machines without systemd: supervisor, one daemon a site.

::

    BASE/.mcc/embedded/
      supervisord.conf       made from the services' names; holds no paths and no secrets
      services/NAME.json     how each is started (0600)
      child.py  python       what supervisord starts; becomes the service
      held.json              listening addresses that the daemon holds open, with their descriptors
      daemon.lock            held by the daemon as long as it lives
      supervisord.{log,pid}  start.log  s.sock

The daemon opens the listening sockets and keeps them as long as it lives, as a systemd ``.socket``
unit does: while a service is restarted its clients wait, and none is refused.
"""

from mcc.host.embedded.manager import Embedded

__all__ = ["Embedded"]
