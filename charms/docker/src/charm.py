#!/usr/bin/env python3
"""The docker charm: a machine whose engine is as the config and the related network say."""

import daemon_options
import engine_host
import ops


class DockerCharm(ops.CharmBase):
    """Installs and configures the engine of its machine."""

    def __init__(self, framework: ops.Framework) -> None:
        super().__init__(framework)
        network = self.on["network"]
        framework.observe(self.on.install, self._on_install)
        for event in (
            self.on.start,
            self.on.config_changed,
            self.on.upgrade_charm,
            self.on.update_status,
            network.relation_changed,
            network.relation_departed,
            network.relation_broken,
        ):
            framework.observe(event, self._on_change)
        framework.observe(self.on["info"].action, self._on_info)
        framework.observe(self.on["df"].action, self._on_df)
        framework.observe(self.on.collect_unit_status, self._on_collect_unit_status)

    def _on_install(self, _: ops.InstallEvent) -> None:
        if not engine_host.is_installed():
            self.unit.status = ops.MaintenanceStatus("Installing Docker")
            engine_host.install()

    def _on_change(self, _: ops.EventBase) -> None:
        try:
            wanted = self._read()
            present = engine_host.present_keys()
        except (daemon_options.OptionError, engine_host.EngineError):
            return  # collect-status says what to mend; nothing that runs is changed
        engine_host.ensure_version(wanted.version)
        if wanted.compose:
            engine_host.ensure_compose()
        self._ensure_keys(present, wanted.keys)
        if not engine_host.is_running():
            engine_host.apply("start")
        version = engine_host.docker("version", "--format", "{{.Server.Version}}")
        self.unit.set_workload_version(version.strip())

    def _on_info(self, event: ops.ActionEvent) -> None:
        self._answer(event, "info", "info", "--format", "{{json .}}")

    def _on_df(self, event: ops.ActionEvent) -> None:
        self._answer(event, "df", "system", "df")

    def _on_collect_unit_status(self, event: ops.CollectStatusEvent) -> None:
        try:
            self._read()
            engine_host.present_keys()
        except (daemon_options.OptionError, engine_host.EngineError) as error:
            event.add_status(ops.BlockedStatus(str(error)))
        if not engine_host.is_running():
            text = "Docker does not run: see journalctl -u docker"
            event.add_status(ops.BlockedStatus(text))
        event.add_status(ops.ActiveStatus())

    def _ensure_keys(self, present: dict[str, object], wanted: dict[str, object]) -> None:
        """Write what differs, and have the engine take it with as little fuss as it allows."""
        others = {k: v for k, v in present.items() if k not in daemon_options.KEYS}
        merged = {**others, **wanted}
        changed = {k for k in present.keys() | merged.keys() if present.get(k) != merged.get(k)}
        if not changed:
            return
        verb = "reload" if changed <= daemon_options.RELOADABLE else "restart"
        if verb == "restart":
            names = ", ".join(sorted(changed))
            self.unit.status = ops.MaintenanceStatus(f"Restarting Docker for {names}")
        engine_host.write_keys(merged)
        try:
            engine_host.apply(verb)
        except engine_host.EngineError:
            engine_host.write_keys(present)
            engine_host.apply("restart")
            raise

    def _answer(self, event: ops.ActionEvent, key: str, *arguments: str) -> None:
        try:
            event.set_results({key: engine_host.docker(*arguments).strip()})
        except engine_host.EngineError as error:
            event.fail(str(error))

    def _read(self) -> daemon_options.Daemon:
        return daemon_options.read(self.config, self._network(), self.app.name)

    def _network(self) -> dict[str, str]:
        """What a related network says; its units all say the same of this machine."""
        relation = self.model.get_relation("network")
        if relation is None or not relation.active:
            return {}
        units = sorted(relation.units, key=lambda unit: unit.name)
        return {k: v for unit in units for k, v in relation.data[unit].items()}


if __name__ == "__main__":  # pragma: no cover
    ops.main(DockerCharm)
