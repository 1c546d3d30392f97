"""The actions: typed parameters in, one call of the product or the charm, results out."""

import json
import pathlib
import tempfile
from typing import TYPE_CHECKING, Any

import ops
from charms.docker_build_hook.v0 import dockerfile

import answers
import machine
import parameters
import product
import service
import state
from build_hook import errors

if TYPE_CHECKING:
    from charm import DockerBuildHookCharm

_NEXT = {
    False: "enter the new secret at the git host, then run again with forget-previous=true",
    True: "nothing: only the present secret is valid",
}


class Operations(ops.Object):
    """Observes the actions and answers them."""

    def __init__(self, charm: "DockerBuildHookCharm") -> None:
        super().__init__(charm, "operations")
        self._charm = charm
        self.framework.observe(charm.on["list-projects"].action, self._on_list_projects)
        self.framework.observe(charm.on["deploy"].action, self._on_deploy)
        self.framework.observe(charm.on["rollback"].action, self._on_rollback)
        self.framework.observe(charm.on["cancel"].action, self._on_cancel)
        self.framework.observe(charm.on["builds"].action, self._on_builds)
        self.framework.observe(charm.on["logs"].action, self._on_logs)
        self.framework.observe(charm.on["get-webhook"].action, self._on_get_webhook)
        self.framework.observe(charm.on["rotate-secret"].action, self._on_rotate_secret)
        self.framework.observe(charm.on["create-token"].action, self._on_create_token)
        self.framework.observe(charm.on["pause"].action, self._on_pause)
        self.framework.observe(charm.on["resume"].action, self._on_resume)
        self.framework.observe(charm.on["explain"].action, self._on_explain)
        self.framework.observe(charm.on["reconcile"].action, self._on_reconcile)
        self.framework.observe(charm.on["diagnostics"].action, self._on_diagnostics)
        self.framework.observe(charm.on["gc"].action, self._on_gc)
        self.framework.observe(charm.on["stop-kept"].action, self._on_stop_kept)

    def _on_list_projects(self, event: ops.ActionEvent) -> None:
        self._call(event, "projects", "projects")

    def _on_deploy(self, event: ops.ActionEvent) -> None:
        params = event.load_params(parameters.Deploy, errors="fail")
        ref = ["--ref", params.ref] if params.ref else []
        self._build(event, params.wait, "deploy", params.project, *ref)

    def _on_rollback(self, event: ops.ActionEvent) -> None:
        params = event.load_params(parameters.Rollback, errors="fail")
        to = ["--to", str(params.to)] if params.to else []
        self._build(event, params.wait, "rollback", params.project, *to)

    def _on_cancel(self, event: ops.ActionEvent) -> None:
        params = event.load_params(parameters.Cancel, errors="fail")
        self._call(event, "build", "cancel", str(params.build))

    def _on_builds(self, event: ops.ActionEvent) -> None:
        params = event.load_params(parameters.Builds, errors="fail")
        self._call(event, "builds", "builds", *([params.project] if params.project else []))

    def _on_logs(self, event: ops.ActionEvent) -> None:
        params = event.load_params(parameters.Logs, errors="fail")
        said = self._ask(event, "logs", str(params.build or params.project))
        if said is not None:
            answers.give(event, {"log": "\n".join(said["log"][-params.lines :])})

    def _on_get_webhook(self, event: ops.ActionEvent) -> None:
        params = event.load_params(parameters.Webhook, errors="fail")
        request = self._request(event, params.project)
        if request is None or not self._is_configured(event):
            return
        secret = self._charm.secrets.get(request.app)
        if secret is None:
            event.fail("The leader has not made the secret yet: try again in a minute")
            return
        revealed = {"secret": secret.value} if params.reveal else {}
        answers.give(
            event,
            {
                "url": self._charm.webhook_url(params.project),
                "content-type": "application/json",
                "secret-id": secret.id,
                **revealed,
            },
        )

    def _on_rotate_secret(self, event: ops.ActionEvent) -> None:
        params = event.load_params(parameters.Rotate, errors="fail")
        if not self._charm.unit.is_leader():
            event.fail(f"Only the leader can: run it on {self._charm.app.name}/leader")
            return
        request = self._request(event, params.project)
        if request is None or not self._is_configured(event):
            return
        secrets = self._charm.secrets
        change = secrets.forget_previous if params.forget_previous else secrets.rotate
        if change(request.app) is None:
            event.fail("There is no secret to rotate yet: try again in a minute")
            return
        self._charm.reconcile()
        answers.give(event, {"next": _NEXT[params.forget_previous]})

    def _on_create_token(self, event: ops.ActionEvent) -> None:
        params = event.load_params(parameters.Token, errors="fail")
        expires = ["--expires", str(params.expires)] if params.expires else []
        said = self._ask(event, "token", "create", params.name, "--scope", params.scope, *expires)
        if said is not None:
            answers.give(event, {"token": said["token"]})

    def _on_pause(self, event: ops.ActionEvent) -> None:
        params = event.load_params(parameters.Pause, errors="fail")
        reason = [f"--reason={params.reason}"] if params.reason else []
        self._call(event, "pause", "pause", *_of(params), *reason)

    def _on_resume(self, event: ops.ActionEvent) -> None:
        params = event.load_params(parameters.Resume, errors="fail")
        self._call(event, "pause", "resume", *_of(params))

    def _on_explain(self, event: ops.ActionEvent) -> None:
        params = event.load_params(parameters.Explain, errors="fail")
        with tempfile.TemporaryDirectory() as folder:
            headers = pathlib.Path(folder, "headers.json")
            body = pathlib.Path(folder, "body")
            headers.write_text(json.dumps(params.headers), encoding="utf-8")
            body.write_text(params.body, encoding="utf-8")
            argv = ["explain", "--headers", str(headers), "--body", str(body)]
            self._call(event, "explanation", *argv)

    def _on_reconcile(self, event: ops.ActionEvent) -> None:
        if not self._is_configured(event):
            return
        try:
            self._charm.reconcile()
        except (errors.BuildHookError, machine.MachineError) as error:
            event.fail(str(error))
            return
        answers.give(event, {"result": "done"})

    def _on_diagnostics(self, event: ops.ActionEvent) -> None:
        self._call(event, "diagnostics", "doctor")

    def _on_gc(self, event: ops.ActionEvent) -> None:
        self._call(event, "removed", "gc")

    def _on_stop_kept(self, event: ops.ActionEvent) -> None:
        params = event.load_params(parameters.Kept, errors="fail")
        if not self._is_configured(event):
            return
        found = service.present_registry(self._charm.options.product).find(params.project)
        if found is None or not found.kept:
            event.fail(f"No project {params.project} is kept: the list-projects action tells")
            return
        self._call(event, "removed", "remove", params.project)

    def _build(self, event: ops.ActionEvent, wait: bool, *argv: str) -> None:
        said = self._ask(event, *argv, *(["--wait"] if wait else []))
        if said is None:
            return
        answers.give(event, {"build": said["id"], "details": json.dumps(said, indent=2)})
        if wait and said["phase"] != "live":
            event.fail(f"Build {said['id']} {said['phase']}: {said['reason'] or 'see its log'}")

    def _call(self, event: ops.ActionEvent, key: str, *argv: str) -> None:
        said = self._ask(event, *argv)
        if said is not None:
            answers.give(event, {key: json.dumps(said, indent=2)})

    def _ask(self, event: ops.ActionEvent, *argv: str) -> Any:
        try:
            return product.Product(self._charm.options.product).call(*argv)
        except errors.BuildHookError as error:
            event.fail(str(error))
            return None

    def _is_configured(self, event: ops.ActionEvent) -> bool:
        """Whether the config can be used: with a wrong one reconcile changes nothing, silently."""
        try:
            return self._charm.options is not None
        except errors.SettingsError as error:
            event.fail(str(error))
            return False

    def _request(self, event: ops.ActionEvent, name: str) -> dockerfile.Request | None:
        for request in self._charm.requests:
            if state.name_of(request) == name:
                return request
        event.fail(f"There is no project {name}: the list-projects action shows those there are")
        return None


def _of(params: parameters.Resume) -> list[str]:
    return [params.project] if params.project else []
