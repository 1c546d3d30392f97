#!/usr/bin/env python3
"""The docker-build-hook charm: what Juju says becomes what the build hook does.

Every event ends in one reconcile: gather, compute, write what differs, restart what must be.
"""

import functools
import gc

import ops
from charms.docker_build_hook.v0 import dockerfile

import config
import departure
import log_sinks
import observability
import operations
import outcomes
import project_secrets
import renewal
import reports
import route
import service
import state
import tls
import units
import webhooks
from build_hook import __version__, errors


class Events(ops.CharmEvents):
    """What the machine tells by itself, see build-hook-report.service."""

    builds_changed = ops.EventSource(ops.EventBase)


class DockerBuildHookCharm(ops.CharmBase):
    """Builds and serves the related projects on the machine of its principal."""

    on = Events()  # pyright: ignore[reportAssignmentType]

    def __init__(self, framework: ops.Framework) -> None:
        super().__init__(framework)
        self.projects = dockerfile.ProjectRequirer(self, "project")
        self.leaving = departure.Departure(self, "project")
        self.secrets = webhooks.WebhookSecrets(self, self.projects, self.leaving)
        self.operations = operations.Operations(self)
        self._desired: state.Desired | None = None
        self._failed: tuple[str, ...] | None = None
        self.certificates = tls.Certificates(self, self._certificate_names)
        framework.observe(self.on.install, self._on_install)
        framework.observe(self.on.upgrade_charm, self._on_upgrade_charm)
        framework.observe(self.on.stop, self._on_stop)
        framework.observe(self.on.remove, self._on_remove)
        framework.observe(self.on.secret_remove, self._on_secret_remove)
        framework.observe(self.on.collect_unit_status, self._on_collect_unit_status)
        for event in self._changes():
            framework.observe(event, self._on_change)

    @functools.cached_property
    def options(self) -> config.Config:
        """The config.

        Raises:
            SettingsError: naming the option and how to set it.
        """
        found = config.Found(
            public_url=route.url(self),
            proxies=route.proxies(self),
            loki_urls=log_sinks.urls(self),
            loki_labels=observability.topology(self),
        )
        wanted = config.load(self, found)
        units.check_port(wanted.product, self.app.name)
        return wanted

    @functools.cached_property
    def requests(self) -> tuple[dockerfile.Request, ...]:
        """What the projects ask for; no event changes that while it is handled."""
        return self.projects.requests()

    def reconcile(self, *, refreshed: bool = False) -> None:
        """Bring the machine and the relations into the state that Juju describes."""
        try:
            wanted = self.options
        except errors.SettingsError:
            return  # collect-status says which option it is; nothing that runs is changed
        self.secrets.ensure(self.requests)
        service.ensure_state(wanted)
        desired = self._desired = self._work_out()
        if self.certificates.ensure(wanted, desired.certificate_names):
            desired = self._desired = self._work_out()  # somebody may have waited for it
        wanted = wanted.with_helper_for(desired.registry.projects)
        changed = project_secrets.write(wanted, desired.secrets, desired.named_secrets)
        service.ensure_registry(wanted.product, desired.registry)
        renewal.deploy_again(wanted.product, desired.registry, changed)  # seen once only
        service.ensure_command(wanted.product)
        self._failed = units.ensure(wanted, refreshed=refreshed)
        self.unit.set_ports(*(ops.Port(*port) for port in desired.ports))
        self._publish(desired)
        observability.publish(self, wanted)
        log_sinks.publish(self)

    def webhook_url(self, name: str) -> str:
        """Where a git host sends the deliveries of a project."""
        options = self.options.product
        base = options.public_url or f"http://{self._address()}:{options.port}"
        if not options.public_url and self.certificates.serves_web(self.options):
            base = f"https://{self._address()}:{options.tls_port}"
        return f"{base.rstrip('/')}/hooks/{name}"

    def _on_install(self, _: ops.InstallEvent) -> None:
        self._install()

    def _on_upgrade_charm(self, _: ops.UpgradeCharmEvent) -> None:
        self._install()
        self.reconcile(refreshed=True)

    def _on_change(self, _: ops.EventBase) -> None:
        if not self.leaving.has_ended:
            self.reconcile()

    def _on_stop(self, _: ops.StopEvent) -> None:
        import removal

        removal.begin()

    def _on_remove(self, _: ops.RemoveEvent) -> None:
        import removal  # and with it the packet filter and Docker, which no other event needs

        removal.remove(self.config)

    def _on_secret_remove(self, event: ops.SecretRemoveEvent) -> None:
        event.remove_revision()  # nobody reads it any more

    def _on_collect_unit_status(self, event: ops.CollectStatusEvent) -> None:
        if self.leaving.has_ended:
            event.add_status(ops.MaintenanceStatus("Takes everything away"))
            return
        try:
            desired = self._desired or self._work_out()
        except errors.SettingsError as error:
            event.add_status(ops.BlockedStatus(str(error)))
            return
        if not service.has_docker():
            event.add_status(ops.WaitingStatus("Waiting for Docker on this machine"))
        failed = units.stopped(self.options) if self._failed is None else self._failed
        for unit in failed:
            event.add_status(ops.BlockedStatus(f"{unit} does not run: see journalctl -u {unit}"))
        status = self.certificates.status(desired.certificate_names)
        if status is not None:
            event.add_status(status)
        for text in outcomes.of_worker(self.options.product, web=status is None):
            event.add_status(ops.BlockedStatus(text))
        for status in reports.statuses(desired, self.requests, self._fates, self._units()):
            event.add_status(status)

    def _install(self) -> None:
        service.install()
        self.unit.set_workload_version(__version__)  # which changes with the charm alone

    def _changes(self) -> list[ops.BoundEvent]:
        on = self.on
        events = [on.start, on.config_changed, on.leader_elected, on.secret_changed]
        for endpoint in (on[name] for name in self.meta.relations):
            events += [endpoint.relation_created, endpoint.relation_joined]
            events += [endpoint.relation_changed, endpoint.relation_departed]
            events += [endpoint.relation_broken]
        return [*events, on.update_status, on.builds_changed]

    def _work_out(self) -> state.Desired:
        here = [request for request in self.requests if request.is_here]
        known = {r.app: secret for r in here if (secret := self.secrets.get(r.app))}
        own = {r.app: project_secrets.read(self.model, r, self.app.name) for r in here}
        present = service.present_registry(self.options.product)
        lack = self.certificates.lack(self.options)
        return state.desired(
            self.options, self.requests, known, own, present, self._address(), lack
        )

    def _units(self) -> int:
        """How many there are; Juju's goal state, behind planned_units, has no subordinates."""
        peers = self.model.get_relation(webhooks.PEERS)
        return 1 + len(peers.units) if peers else 1

    def _certificate_names(self) -> tuple[str, ...]:
        return (self._desired or self._work_out()).certificate_names

    def _publish(self, desired: state.Desired) -> None:
        for request in self.requests:
            name = state.name_of(request)
            url, fate = self.webhook_url(name), self._fates.get(name)
            report = reports.report(self.unit.name, request, desired, url, fate)
            self.projects.publish_report(request.relation_id, report)
        route.publish(self, desired.config, self._address())
        for relation in self.model.relations["api"]:
            address = {"hostname": self._address(), "port": str(desired.config.product.port)}
            relation.data[self.unit].update(address)

    @functools.cached_property
    def _fates(self) -> dict[str, outcomes.Fate]:
        product = self.options.product
        return outcomes.of_all(product, service.present_registry(product))

    def _address(self) -> str:
        binding = self.model.get_binding("api")
        address = binding.network.ingress_address if binding else None
        return f"[{address}]" if ":" in str(address) else str(address)


if __name__ == "__main__":
    ops.main(DockerBuildHookCharm)
    gc.freeze()  # or all objects are taken apart one by one before the process may end
