#!/usr/bin/env python3
"""The dockerfile charm: one project, as config, on its way to the build hook."""

import gc
import json

import hook_command
import ops
import project_options
import pydantic
import reach
import standing
from charms.docker_build_hook.v0 import dockerfile


class GetWebhookParams(pydantic.BaseModel):
    """Parameters of ``get-webhook``."""

    reveal: bool = False


class DeployParams(pydantic.BaseModel):
    """Parameters of ``deploy``: a ref reaches git, no option can be smuggled in as one."""

    ref: str | None = pydantic.Field(default=None, pattern=r"^[A-Za-z0-9][^\s~^:?*\[\\]*$")
    wait: bool = False


class RollbackParams(pydantic.BaseModel):
    """Parameters of ``rollback``."""

    to: int | None = pydantic.Field(default=None, ge=1)
    wait: bool = False


class DockerfileCharm(ops.CharmBase):
    """Asks the related build hooks to build and serve one repository."""

    def __init__(self, framework: ops.Framework) -> None:
        super().__init__(framework)
        self.project = dockerfile.ProjectProvider(self, "project")
        relation = self.on["project"]
        for event in (
            self.on.config_changed,
            self.on.leader_elected,
            self.on.upgrade_charm,
            relation.relation_created,
            relation.relation_joined,
            relation.relation_changed,
            relation.relation_departed,
            relation.relation_broken,
        ):
            framework.observe(event, self._on_change)
        framework.observe(self.on.update_status, self._on_change)
        framework.observe(self.on["deploy"].action, self._on_deploy)
        framework.observe(self.on["rollback"].action, self._on_rollback)
        framework.observe(self.on["get-webhook"].action, self._on_get_webhook)
        framework.observe(self.on.collect_unit_status, self._on_collect_unit_status)

    def _on_change(self, _: ops.EventBase) -> None:
        try:
            project = self._read()
        except project_options.OptionError:
            return  # what was published stays; collect-status says how to mend the option
        self.project.publish(project, project_options.scripts(self.config))

    def _on_deploy(self, event: ops.ActionEvent) -> None:
        params = event.load_params(DeployParams, errors="fail")
        ref = ["--ref", params.ref] if params.ref else []
        self._build(event, params.wait, "deploy", self.app.name, *ref)

    def _on_rollback(self, event: ops.ActionEvent) -> None:
        params = event.load_params(RollbackParams, errors="fail")
        to = ["--to", str(params.to)] if params.to else []
        self._build(event, params.wait, "rollback", self.app.name, *to)

    def _on_get_webhook(self, event: ops.ActionEvent) -> None:
        params = event.load_params(GetWebhookParams, errors="fail")
        reports = [report for report in self.project.reports() if report.webhook_url]
        if not reports:
            event.fail("No build hook has registered the project: see its status")
            return
        try:
            event.set_results(
                {
                    report.unit.replace("/", "-"): self._webhook(report, reveal=params.reveal)
                    for report in reports
                }
            )
        except ops.ModelError as error:
            event.fail(f"The secret cannot be read yet, try again in a minute: {error}")

    def _on_collect_unit_status(self, event: ops.CollectStatusEvent) -> None:
        app = self.app.name
        try:
            project = self._read()
        except project_options.OptionError as error:
            event.add_status(ops.BlockedStatus(error.fix(app)))
            return
        if not self.model.relations["project"]:
            text = f"Not related to a build hook: juju integrate {app}:project build-hook"
            event.add_status(ops.BlockedStatus(text))
            return
        event.add_status(standing.status(self.project.reports(), self._url(project), app))

    def _build(self, event: ops.ActionEvent, wait: bool, *arguments: str) -> None:
        try:
            said = hook_command.ask(*arguments, *(["--wait"] if wait else []))
        except hook_command.CommandError as error:
            event.fail(str(error))
            return
        event.set_results({"build": said["id"], "details": json.dumps(said, indent=2)})
        if wait and said["phase"] != "live":
            event.fail(f"Build {said['id']} {said['phase']}: {said['reason'] or 'see its log'}")

    def _read(self) -> dockerfile.Project:
        return project_options.read(self.config, self.app.name)

    def _webhook(self, report: dockerfile.Report, *, reveal: bool) -> dict[str, str]:
        webhook = {"url": report.webhook_url or "", "content-type": "application/json"}
        if report.secret_id is None:
            return webhook
        webhook["secret-id"] = report.secret_id
        if reveal:
            content = self.model.get_secret(id=report.secret_id).get_content(refresh=True)
            webhook["secret"] = content["webhook-secret"]
        return webhook

    def _url(self, project: dockerfile.Project) -> str | None:
        """Where the project can be reached, if it publishes a port."""
        binding = self.model.get_binding("project")
        if binding is None:
            return None
        return reach.url(project.ports or (), str(binding.network.ingress_address))


if __name__ == "__main__":
    ops.main(DockerfileCharm)
    gc.freeze()  # or all objects are taken apart one by one before the process may end
