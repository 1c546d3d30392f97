"""How HAProxy is started."""

import shutil

from build_hook import errors, settings
from build_hook.proxy import rendering


def command(with_settings: settings.Settings) -> tuple[str, ...]:
    """The command that runs HAProxy from the last configuration, an empty one the first time.

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
        rendering.write(config, rendering.render(with_settings, []))
    master = f"{with_settings.run / 'haproxy-master.sock'},mode,600"
    return (haproxy, "-W", "-S", master, "-f", str(config))
