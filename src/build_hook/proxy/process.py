"""How HAProxy is started."""

import logging
import shutil
import time

from build_hook import errors, port_probe, settings
from build_hook.proxy import rendering

_log = logging.getLogger(__name__)
# A HAProxy that was killed holds its ports until the last of its processes is gone.
_LET_GO = 1.0


def command(with_settings: settings.Settings) -> tuple[str, ...]:
    """The command that runs HAProxy from the last configuration, an empty one the first time.

    HAProxy does not start at all if one port is taken: those that a stranger has got hold of
    since are left out, for the worker to see (front.look).

    Raises:
        ProxyError: if HAProxy is not installed.
    """
    haproxy = shutil.which(
        "haproxy", path="/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin"
    )
    if haproxy is None:
        raise errors.ProxyError("HAProxy is not installed", "apt-get install haproxy")
    config = with_settings.run / "haproxy.cfg"
    if not config.exists():
        rendering.write(config, rendering.render(with_settings, rendering.Plan()))
    _leave_out_lost_ports(with_settings)
    master = f"{with_settings.run / 'haproxy-master.sock'},mode,600"
    return (haproxy, "-W", "-S", master, "-f", str(config))


def _leave_out_lost_ports(with_settings: settings.Settings) -> None:
    config = with_settings.run / "haproxy.cfg"
    deadline = time.monotonic() + _LET_GO

    def is_lost(port: int) -> bool:
        while not port_probe.is_free(with_settings.publish_address, port):
            if time.monotonic() > deadline:
                return True
            time.sleep(0.02)
        return False

    text, lost = rendering.without(config.read_text(encoding="utf-8"), is_lost)
    if lost:
        _log.warning(
            "port %s is used by another program: starting without", ", ".join(map(str, lost))
        )
        rendering.write(config, text)
