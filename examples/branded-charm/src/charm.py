#!/usr/bin/env python3
"""A branded charm that is built from git: the project relation in ten lines."""

import ops
from charms.docker_build_hook.v0 import dockerfile


class SelfossCharm(ops.CharmBase):
    """A feed reader."""

    def __init__(self, framework: ops.Framework) -> None:
        super().__init__(framework)
        self.project = dockerfile.ProjectProvider(self, "project")
        for event in (self.on.config_changed, self.on["project"].relation_created):
            framework.observe(event, self._publish)

    def _publish(self, _: ops.EventBase) -> None:
        port = dockerfile.Port(target=80, published=9000)
        repository = str(self.config["repository"])
        self.project.publish(dockerfile.Project(repository=repository, ports=(port,)))


if __name__ == "__main__":  # pragma: no cover
    ops.main(SelfossCharm)
