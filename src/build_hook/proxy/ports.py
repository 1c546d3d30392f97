"""Whether a published port can be ours."""

import socket


def is_free(address: str, port: int) -> bool:
    """Whether nobody listens on a port.

    HAProxy sets SO_REUSEPORT and would share a port with a stranger of the same user without a
    word; a probe without that option does not.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return False
    return True
