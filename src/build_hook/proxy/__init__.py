"""The proxy: HAProxy, which owns the published ports.

``rendering`` is its configuration file, ``runtime`` its sockets, ``front`` what the engine asks
of it: publish these projects, send this project's traffic there.
"""
