"""A repository with a compose file for tests: web asks api, api asks db, db has a volume."""

from collections.abc import Mapping
from typing import Any

from build_hook import project
from build_hook.store import builds
from tests.functional import host as hosts

PATIENCE = 150.0
FILE = """\
services:
  web:
    build: {context: web, args: {BASE: "${BASE}"}}
    depends_on: [api]
  api:
    build: {context: api, args: {BASE: "${BASE}"}}
    depends_on: {db: {condition: service_started}}
  db:
    build: {context: db, args: {BASE: "${BASE}"}}
    volumes: ["data:/data"]
    stop_grace_period: 1s
volumes: {data: }
"""
DOCKERFILE = """\
ARG BASE
FROM ${BASE}
COPY . /app/
CMD ["/bin/sh", "/app/serve.sh"]
"""
# Asks a service by its name; the address is looked up for every request, in two processes: users
# ask often, and what they start is most of what such a test costs.
ASK = r"""
ask() {
    while read -r key value; do [ "$key" != Address: ] || at=$value; done <<END
$(busybox nslookup -type=a "$1")
END
    while read -r line; do answer=$line; done <<END
$(nc -w 5 "$at" "$2" < /request)
END
}
"""
SERVE = r"""
printf 'GET / HTTP/1.0\r\n\r\n' > /request
busybox mkdir -p /w/cgi-bin
busybox cp /app/index.cgi /w/cgi-bin/
busybox chmod 755 /w/cgi-bin/index.cgi
busybox httpd -f -p 8000 -h /w &
trap 'kill $!; exit 0' TERM
wait
"""
SAY = r"""
printf 'Content-Type: text/plain\r\nContent-Length: %s\r\n\r\n%s\n' $((${#said} + 1)) "$said"
"""
DB = """\
echo start >> /data/starts
busybox wc -l < /data/starts > /data/index.html
busybox httpd -f -p 7000 -h /data &
trap 'kill $!; exit 0' TERM
wait
"""


def files(**more: str) -> dict[str, str]:
    """The repository; in names ``__`` stands for a dot, as in ``push``."""
    return {
        "compose.yaml": FILE,
        "web/Dockerfile": DOCKERFILE,
        "web/serve.sh": SERVE,
        "web/index.cgi": web("1"),
        "api/Dockerfile": DOCKERFILE,
        "api/serve.sh": SERVE,
        "api/index.cgi": api("1"),
        "db/Dockerfile": DOCKERFILE,
        "db/serve.sh": DB,
        **more,
    }


def web(version: str) -> str:
    return f'#!/bin/sh{ASK}ask api 8000\nsaid="web-{version}/$answer"{SAY}'


def api(version: str) -> str:
    return f'#!/bin/sh{ASK}ask db 7000\nsaid="api-{version}/starts-$answer"{SAY}'


class Shop:
    """A compose project on a host."""

    def __init__(
        self,
        host: hosts.Host,
        name: str,
        rules: Mapping[str, Any] | None = None,
        watch: float = 0.5,
        **more: str,
    ) -> None:
        self.host = host
        self.name = name
        self.of = host.add(name, files=files(**more))
        entry = host.entry(name)
        host.replace(
            project.Project.model_validate(
                {
                    "name": name,
                    "repository": entry.repository,
                    "webhook_secrets": entry.webhook_secrets,
                    "environment": {"BASE": host.base},
                    "health": {"min_uptime": 0.1, "timeout": 15},
                    "drain": 10,
                    "watch": watch,
                    "compose": {
                        "services": {"web": {"ports": [self._port], "stop_grace_period": 1}},
                        **(rules or {}),
                    },
                }
            )
        )

    @property
    def _port(self) -> dict[str, int]:
        return {"target": 8000, "published": self.of.port}

    def deploy(self, **files: str) -> builds.Build:
        """Push, and wait for the end of the deploy: of three images and as many containers."""
        return self.of.deploy(PATIENCE, **files)

    def live(self, **files: str) -> builds.Build:
        """Push what has to go live; the build that brought it."""
        return self.of.live(PATIENCE, **files)

    def containers(self) -> dict[str, str]:
        """The id of the container that runs each service."""
        return {box.service: box.id for box in self.of.boxes() if box.is_running}
