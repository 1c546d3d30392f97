#!/usr/bin/env python3
"""The docker charm: a machine whose engine is as config, storage and relations say."""

import contextlib
import gc
import json
import os

import daemon_keys
import daemon_options
import engine_host
import ops
import packages
import registries
import traces

_PROXIES = {
    "JUJU_CHARM_HTTP_PROXY": "HTTP_PROXY",
    "JUJU_CHARM_HTTPS_PROXY": "HTTPS_PROXY",
    "JUJU_CHARM_NO_PROXY": "NO_PROXY",
}


class DockerCharm(ops.CharmBase):
    """Installs and configures the engine of its machine."""

    _stored = ops.StoredState()

    def __init__(self, framework: ops.Framework) -> None:
        super().__init__(framework)
        # What went wrong last, and the keys that the engine has refused, with its sentence.
        self._stored.set_default(problem="", refused="", refusal="")
        for event in self._changes():
            framework.observe(event, self._on_change)
        framework.observe(self.on["data"].storage_detaching, self._on_data_detaching)
        framework.observe(self.on.remove, self._on_remove)
        framework.observe(self.on["info"].action, self._on_info)
        framework.observe(self.on["df"].action, self._on_df)
        framework.observe(self.on["prune"].action, self._on_prune)
        framework.observe(self.on.collect_unit_status, self._on_collect_unit_status)

    def _on_change(self, event: ops.EventBase) -> None:
        if isinstance(event, ops.StartEvent | ops.UpgradeCharmEvent):
            self._stored.refused = ""  # after a reboot it may be different
        self._reconcile(self._storage())

    def _on_data_detaching(self, event: ops.StorageDetachingEvent) -> None:
        # The engine must let go of it, and so must its containers, or it cannot be unmounted.
        with contextlib.suppress(engine_host.EngineError):  # which the next line meets as well
            engine_host.release(str(event.storage.location))
        self._reconcile(None)

    def _on_remove(self, _: ops.RemoveEvent) -> None:
        traces.remove(is_held=bool(self.config.get("version")))

    def _on_info(self, event: ops.ActionEvent) -> None:
        self._answer(event, "info", "info", "--format", "{{json .}}")

    def _on_df(self, event: ops.ActionEvent) -> None:
        self._answer(event, "df", "system", "df")

    def _on_prune(self, event: ops.ActionEvent) -> None:
        try:
            event.set_results({"removed": engine_host.make_room().strip()})
        except engine_host.EngineError as error:
            event.fail(str(error))

    def _on_collect_unit_status(self, event: ops.CollectStatusEvent) -> None:
        try:
            wanted = self._read(self._storage())
            self._refuse_to_move(engine_host.present_keys(), wanted.keys)
        except (daemon_options.OptionError, engine_host.EngineError) as error:
            event.add_status(ops.BlockedStatus(str(error)))
        if self._stored.problem:
            event.add_status(ops.BlockedStatus(str(self._stored.problem)))
        if not engine_host.is_running():
            text = "Docker does not run: see journalctl -u docker"
            event.add_status(ops.BlockedStatus(text))
        event.add_status(ops.ActiveStatus())

    def _changes(self) -> list[ops.BoundEvent]:
        on = self.on
        events = [on.install, on.start, on.config_changed, on.upgrade_charm, on.update_status]
        for endpoint in (on["network"], on["docker-registry"]):
            events += [endpoint.relation_changed, endpoint.relation_departed]
            events += [endpoint.relation_broken]
        return [*events, on["data"].storage_attached]

    def _reconcile(self, storage: str | None) -> None:
        self._stored.problem = ""
        try:
            wanted = self._read(storage)
            present = engine_host.present_keys()
            if storage is not None or not self.model.storages["data"]:
                self._refuse_to_move(present, wanted.keys)
        except (daemon_options.OptionError, engine_host.EngineError):
            return  # collect-status says what to mend; nothing that runs is changed
        try:
            self._bring(present, wanted)
        except engine_host.EngineError as error:
            self._stored.problem = str(error)

    def _bring(self, present: dict[str, object], wanted: daemon_options.Daemon) -> None:
        self._ensure_packages(wanted)
        engine_host.ensure_weight(wanted.cpu_weight)
        registry = self._registry()
        engine_host.ensure_authority(registry.address, registry.authority)
        self._refuse_unknown_driver(present.get("log-driver"), wanted.log_driver)
        self._ensure_keys(present, wanted.keys, restart=self._ensure_proxies())
        if not engine_host.is_running():
            engine_host.apply("start")
        version = engine_host.docker("version", "--format", "{{.Server.Version}}")
        self.unit.set_workload_version(version.strip())

    def _ensure_packages(self, wanted: daemon_options.Daemon) -> None:
        family = packages.FAMILIES[wanted.source]
        if wanted.source == "upstream":
            packages.ensure_source(wanted.upstream_url, wanted.upstream_key)
        else:
            packages.forget_source()
        if packages.differs(family, wanted.version):
            what = f"{family.engine} {wanted.version or ''}".strip()
            self._announce(f"Installing {what}, Docker restarts with it")
            packages.install(family, wanted.version)
        packages.ensure_hold(family, is_held=wanted.version is not None)
        if wanted.compose:
            packages.ensure_compose(family)

    def _ensure_proxies(self) -> bool:
        """Give the engine the model's proxies; whether it has to be restarted for them."""
        given = {name: os.environ.get(variable, "") for variable, name in _PROXIES.items()}
        return engine_host.ensure_proxies({k: v for k, v in given.items() if v})

    def _ensure_keys(
        self, present: dict[str, object], wanted: dict[str, object], *, restart: bool
    ) -> None:
        """Have the engine take the keys, but none that it has refused: each try restarts it."""
        keys = daemon_keys.merged(present, wanted)
        said = json.dumps(keys, sort_keys=True)
        if said == self._stored.refused:
            self._stored.problem, keys = self._stored.refusal, present
        try:
            daemon_keys.ensure(present, keys, self._announce, restart=restart)
        except daemon_keys.RefusedError as error:
            self._stored.refused, self._stored.refusal = said, str(error)
            raise

    def _announce(self, text: str) -> None:
        self.unit.status = ops.MaintenanceStatus(text)

    def _refuse_unknown_driver(self, present: object, wanted: str | None) -> None:
        """Refuse a driver that the engine would take and then start no container with."""
        if wanted in (None, present) or not engine_host.is_running():
            return
        known = engine_host.log_drivers()
        if wanted not in known:
            raise engine_host.EngineError(
                f"Config log-driver: {wanted} is none that the engine has: {', '.join(known)}. "
                f"Use: juju config {self.app.name} log-driver=VALUE"
            )

    def _refuse_to_move(self, present: dict[str, object], wanted: dict[str, object]) -> None:
        """Refuse to leave containers behind: with another data-root the engine knows none."""
        before, after = (keys.get("data-root", "/var/lib/docker") for keys in (present, wanted))
        if before == after or not engine_host.has_containers():
            return
        if storages := self.model.storages["data"]:
            what, fix = "The storage data", f"juju detach-storage {storages[0].full_id}"
        else:
            what, fix = "Config data-root", f"juju config {self.app.name} data-root={before}"
        raise daemon_options.OptionError(
            f"{what}: {after} would leave the containers of {before} behind. Remove them first, "
            f"or use: {fix}"
        )

    def _answer(self, event: ops.ActionEvent, key: str, *arguments: str) -> None:
        try:
            event.set_results({key: engine_host.docker(*arguments).strip()})
        except engine_host.EngineError as error:
            event.fail(str(error))

    def _read(self, storage: str | None) -> daemon_options.Daemon:
        wanted = daemon_options.read(self.config, self._bag("network"), storage, self.app.name)
        registry = self._registry()
        if not registry.is_plain or registry.address in wanted.insecure_registries:
            return wanted
        plain = (*wanted.insecure_registries, registry.address)
        return wanted.model_copy(update={"insecure_registries": plain})

    def _registry(self) -> registries.Registry:
        return registries.read(self._bag("docker-registry"))

    def _storage(self) -> str | None:
        """Where the storage for the engine's data is, if there is one."""
        return next((str(each.location) for each in self.model.storages["data"]), None)

    def _bag(self, endpoint: str) -> dict[str, str]:
        """What a related application says; its units all say the same of this machine."""
        relation = self.model.get_relation(endpoint)
        if relation is None or not relation.active:
            return {}
        units = sorted(relation.units, key=lambda unit: unit.name)
        return {k: v for unit in units for k, v in relation.data[unit].items()}


if __name__ == "__main__":
    ops.main(DockerCharm)
    gc.freeze()  # or all objects are taken apart one by one before the process may end
