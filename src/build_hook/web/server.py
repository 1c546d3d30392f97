"""Web under gunicorn: few event loops that serve, one master that restarts them."""

import contextlib
import ctypes
import gc
import importlib
import os
import resource
import sys
from typing import Any, NoReturn

from build_hook import settings
from build_hook.web import app

# Of each process. Connections of slow senders count too; each needs a file descriptor.
MOST_CONNECTIONS = 2048
OPEN_FILES = 4096
# More would only wait for each other at the disk, and each takes some 15 MB.
MOST_WORKERS = 2
# Objects before Python looks for cycles, of which requests leave hardly any: looking as often as
# it does by itself takes one twentieth of the processor time.
GARBAGE = 20_000
_M_MMAP_THRESHOLD = -3  # malloc.h


def run(options: settings.Settings, fd: int | None = None) -> NoReturn:
    """Serve until told to stop.

    With ``fd``, a listening socket of the caller: while this process is restarted, connections
    wait there instead of being refused.
    """
    _raise_open_files()
    _give_memory_back()
    base: Any = importlib.import_module("gunicorn.app.base")  # has no types

    class Server(base.BaseApplication):
        def load_config(self) -> None:
            for name, value in configuration(options, fd).items():
                self.cfg.set(name, value)

        def load(self) -> object:
            # The master loads, the worker inherits: what neither writes is in memory once.
            loaded = app.get_app(options)
            gc.collect()
            gc.freeze()
            gc.set_threshold(GARBAGE)
            return loaded

    Server(prog="build-hook web").run()
    sys.exit(0)


def configuration(options: settings.Settings, fd: int | None = None) -> dict[str, object]:
    """Gunicorn's settings."""
    return {
        "bind": f"fd://{fd}" if fd is not None else address(options.listen, options.port),
        "worker_class": "build_hook.web.web_worker.WebWorker",
        "worker_connections": MOST_CONNECTIONS,
        "workers": options.web_workers or min(MOST_WORKERS, os.cpu_count() or 1),
        "preload_app": True,
        "asgi_lifespan": "on",
        "asgi_loop": "asyncio",
        "backlog": 2048,
        "timeout": 30,
        "graceful_timeout": 10,
        "keepalive": 15,
        "limit_request_line": 4096,
        "limit_request_fields": 64,
        "limit_request_field_size": 8190,
        "control_socket_disable": True,
        "accesslog": None,
        "logger_class": "build_hook.web.web_worker.Logger",
        "loglevel": "warning",
        "worker_tmp_dir": str(options.run),
        "proc_name": "build-hook-web",
    }


def address(host: str, port: int) -> str:
    """A socket address as gunicorn reads it."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _raise_open_files() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _give_memory_back() -> None:
    # glibc learns from the first large body to keep such blocks; then a few deliveries of
    # 25 MB would stay in memory for good. With a fixed threshold they go back at once.
    with contextlib.suppress(OSError, AttributeError):  # another C library
        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, 256 * 1024)
