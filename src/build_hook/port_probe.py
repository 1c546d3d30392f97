"""Whether a port of this machine can be had."""

import socket


def is_free(address: str, port: int) -> bool:
    """Whether nobody listens on a port.

    HAProxy sets SO_REUSEPORT and would share a port with a stranger of the same user without a
    word; a probe without that option does not. Where ``::`` stands for the IPv4 addresses as well,
    a stranger on one of those counts too.
    """
    is_long = ":" in address
    try:
        with socket.socket(socket.AF_INET6 if is_long else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if is_long:
                probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, address != "::")
            probe.bind((address, port))
    except OSError:
        return False
    return True
