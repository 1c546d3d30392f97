"""The ``dockerfile`` interface: a project asks a build hook to build and serve it.

A charm that wants to be built from git provides the interface::

    from charms.docker_build_hook.v0 import dockerfile

    class MyCharm(ops.CharmBase):
        def __init__(self, framework: ops.Framework):
            super().__init__(framework)
            self.project = dockerfile.ProjectProvider(self, "project")
            framework.observe(self.on.config_changed, self._publish)
            framework.observe(self.on["project"].relation_joined, self._publish)

        def _publish(self, _: ops.EventBase) -> None:
            self.project.publish(dockerfile.Project(repository="https://…/app.git"))

``self.project.reports()`` is what the build hooks say: the webhook's URL, what serves, how the
last build ended. A build hook requires the interface and uses :class:`ProjectRequirer`.

On the wire every field may be absent and unknown ones are ignored. Fields of today are JSON; the
keys of 2015 (``repository``, ``buildscript``, ``localpath``, ``startscript``) are raw strings
in the unit databag, and are written and read as well.
"""

import json
import os
from collections.abc import Mapping, MutableMapping
from typing import Any, TypeVar

import ops
import pydantic

# Of our own making, since tools ask for one: the store gives another to a registered library.
LIBID = "6e2f6a1c9d0b4c7f8a35d1e07b94c2aa"
LIBAPI = 0
LIBPATCH = 5
PYDEPS = ["pydantic>=2"]

OLD_REF = "refs/heads/master"  # the branch that a build hook of 2015 followed


class _Value(pydantic.BaseModel):
    # Deferred since either side of the relation uses half of the models, and pays at every event.
    model_config = pydantic.ConfigDict(frozen=True, extra="ignore", defer_build=True)


class Variable(_Value):
    """A name and its value; the wire has lists of these, in order, and no maps."""

    name: str | None = None
    value: str = ""


class Port(_Value):
    """A port of the container, and the port of the host that leads to it.

    ``certificates`` are names that the build hook's machine knows.
    """

    target: int | None = None
    published: int | None = None
    app_protocol: str | None = None
    protocol: str | None = None
    hosts: tuple[str, ...] | None = None
    certificates: tuple[str, ...] | None = None
    redirect_from: int | None = None


class Build(_Value):
    """How the image is made; what is None is left to the build hook."""

    context: str | None = None
    dockerfile: str | None = None
    args: tuple[Variable, ...] | None = None
    target: str | None = None
    timeout: float | None = None


class Health(_Value):
    """What a new container must show; what is None is left to the build hook."""

    path: str | None = None
    port: int | None = None
    timeout: float | None = None
    interval: float | None = None
    successes: int | None = None
    min_uptime: float | None = None


class Tolerance(_Value):
    """What a new version may do wrong while it is watched; None is left to the build hook."""

    errors: int | None = None
    share: float | None = None
    probes: int | None = None


class _Settings(_Value):
    """What has a field here, and what has none.

    ``service`` has run settings of the Compose specification, ``settings`` everything else that
    the build hook's registry knows, by its names; both for what has no field of its own.

    ``environment_secret``, ``access_secret`` and ``build_secret`` are ids of Juju secrets that the
    build hook has been granted. Their keys: ``environment`` (NAME=value lines); ``deploy-key``,
    ``access-token`` with ``access-user``, ``registry-login`` (USER:PASSWORD); one key for each
    secret of the build, by its id there.
    """

    name: str | None = None
    image: str | None = None
    environment_secret: str | None = None
    access_secret: str | None = None
    build_secret: str | None = None
    settings: dict[str, Any] | None = None
    ref: str | None = None
    tags: str | None = None
    branches: str | None = None
    strategy: str | None = None
    allow_from: tuple[str, ...] | None = None
    provider: str | None = None
    allow_sha1: bool | None = None
    after_ci: bool | None = None
    cancel_running: bool | None = None
    paths: tuple[str, ...] | None = None
    skip_words: tuple[str, ...] | None = None
    build: Build | None = None
    ports: tuple[Port, ...] | None = None
    environment: tuple[Variable, ...] | None = None
    command: tuple[str, ...] | None = None
    volumes: tuple[str, ...] | None = None
    stop_grace_period: float | None = None
    service: dict[str, Any] | None = None
    health: Health | None = None
    drain: float | None = None
    watch: float | None = None
    tolerance: Tolerance | None = None
    freeze: tuple[str, ...] | None = None
    rebuild: str | None = None
    time_zone: str | None = None


class Project(_Settings):
    """What a project asks for; ``name`` defaults to the name of its application.

    It has a repository to build from, or an image to pull.
    """

    repository: str = ""


class Scripts(_Value):
    """What 2015 said: where the clone is and which scripts it has."""

    build_script: str = ""
    local_path: str = ""
    start_script: str = ""


class Outcome(_Value):
    """How a build ended, or how far it is."""

    build: int | None = None
    phase: str | None = None
    commit: str | None = None
    reason: str | None = None
    finished: float | None = None


class Report(_Value):
    """What one unit of a build hook says about a project."""

    unit: str = ""
    is_here: bool = False
    webhook_url: str | None = None
    secret_id: str | None = None
    refused: str | None = None
    serving: Outcome | None = None
    last: Outcome | None = None


class Request(_Value):
    """What one application asks of a build hook; ``problem`` says why it cannot be read."""

    relation_id: int
    app: str
    units: tuple[str, ...] = ()
    is_here: bool = False
    project: Project | None = None
    scripts: Scripts | None = None
    problem: str | None = None


def scripted(project: Project, script: Mapping[str, Any]) -> Project:
    """The project as one that its own scripts build and start, as in 2015."""
    settings = {**(project.settings or {}), "script": dict(script)}
    return project.model_copy(update={"strategy": "script", "settings": settings})


class _ProjectApp(_Settings):
    repository: str | None = None


class _HookApp(_Value):
    secret_id: str | None = None


class _HookUnit(_Value):
    machine: str | None = None
    webhook_url: str | None = None
    refused: str | None = None
    serving: Outcome | None = None
    last: Outcome | None = None


class ProjectProvider:
    """The project's side."""

    def __init__(self, charm: ops.CharmBase, endpoint: str = "project") -> None:
        self._charm = charm
        self._endpoint = endpoint

    def publish(self, project: Project, scripts: Scripts | None = None) -> None:
        """Ask every related build hook for the project."""
        said = project.model_dump()
        wire = _ProjectApp.model_validate({**said, "repository": project.repository or None})
        for relation in self._relations():
            if self._charm.unit.is_leader():
                _save(relation.data[self._charm.app], wire)
            _set(relation.data[self._charm.unit], _old(project, scripts or Scripts()))
            _set(relation.data[self._charm.unit], {"machine": _machine(self._charm)})

    def reports(self) -> tuple[Report, ...]:
        """What the build hooks say, in the order of their units' names."""
        here = _machine(self._charm)
        reports = [_report(r, unit, here) for r in self._relations() for unit in r.units]
        return tuple(sorted(reports, key=lambda report: report.unit))

    def _relations(self) -> list[ops.Relation]:
        return _active(self._charm, self._endpoint)


class ProjectRequirer:
    """The build hook's side."""

    def __init__(self, charm: ops.CharmBase, endpoint: str = "project") -> None:
        self._charm = charm
        self._endpoint = endpoint

    def requests(self) -> tuple[Request, ...]:
        """What the related applications ask for, in the order of their names."""
        requests = [self._request(r) for r in _active(self._charm, self._endpoint)]
        return tuple(sorted(requests, key=lambda request: (request.app, request.relation_id)))

    def publish_secret(self, relation_id: int, secret_id: str) -> None:
        """Tell the project which Juju secret signs its deliveries; only a leader does."""
        relation = self._relation(relation_id)
        if self._charm.unit.is_leader():
            _save(relation.data[self._charm.app], _HookApp(secret_id=secret_id))

    def publish_report(self, relation_id: int, report: Report) -> None:
        """Tell the project what this unit has to say about it."""
        relation = self._relation(relation_id)
        said = {**report.model_dump(), "machine": _machine(self._charm)}
        wire = _HookUnit.model_validate(said)
        _save(relation.data[self._charm.unit], wire)

    def relation(self, relation_id: int) -> ops.Relation:
        """The relation of a request, for granting a secret to it."""
        return self._relation(relation_id)

    def _relation(self, relation_id: int) -> ops.Relation:
        return next(r for r in _active(self._charm, self._endpoint) if r.id == relation_id)

    def _request(self, relation: ops.Relation) -> Request:
        bags = [relation.data[unit] for unit in _by_name(relation.units)]
        facts = {
            "relation_id": relation.id,
            "app": relation.app.name,
            "units": tuple(unit.name for unit in _by_name(relation.units)),
            "is_here": any(self._is_here(relation, bag) for bag in bags),
            "scripts": next((s for bag in bags if (s := _scripts(bag))), None),
        }
        try:
            return Request.model_validate({**facts, "project": _project(relation, bags)})
        except ValueError as error:
            return Request.model_validate({**facts, "problem": _explain(error)})

    def _is_here(self, relation: ops.Relation, bag: Mapping[str, str]) -> bool:
        if machine := bag.get("machine"):
            return machine == _machine(self._charm)
        own = relation.data[self._charm.unit].get("private-address")
        return own is not None and bag.get("private-address") == own


_Wire = TypeVar("_Wire", bound=_Value)


def _active(charm: ops.CharmBase, endpoint: str) -> list[ops.Relation]:
    relations = [r for r in charm.model.relations[endpoint] if r.active]
    return sorted(relations, key=lambda relation: relation.id)


def _by_name(units: set[ops.Unit]) -> list[ops.Unit]:
    return sorted(units, key=lambda unit: int(unit.name.rpartition("/")[2]))


def _machine(charm: ops.CharmBase) -> str:
    # A number alone would also match a machine of another model.
    return f"{charm.model.uuid}:{os.environ.get('JUJU_MACHINE_ID', '')}"


def _report(relation: ops.Relation, unit: ops.Unit, here: str) -> Report:
    app = _lenient(_HookApp, relation.data[relation.app]).model_dump()
    said = _lenient(_HookUnit, relation.data[unit])
    is_here = said.machine in (None, here)
    return Report.model_validate(
        {"unit": unit.name, "is_here": is_here, **app, **said.model_dump()}
    )


def _project(relation: ops.Relation, bags: list[ops.RelationDataContent]) -> Project | None:
    """What is asked for; None if nothing has been said yet."""
    wire = _load(_ProjectApp, relation.data[relation.app])
    if wire.repository is not None or wire.image is not None:
        said = wire.model_dump()
        return Project.model_validate({**said, "repository": wire.repository or ""})
    # A unit of today writes the old keys too, perhaps before its leader has said all the rest.
    old = (bag for bag in bags if not bag.get("machine"))
    raw = next((bag for bag in old if bag.get("repository")), None)
    if raw is None:
        return None
    asked = Project(repository=raw["repository"], ref=OLD_REF)
    script = raw.get("buildscript")
    # In a clone of the build hook's own: the folder that the other charm names may not be its.
    return scripted(asked, {"build": script}) if script else asked


def _scripts(bag: Mapping[str, str]) -> Scripts | None:
    scripts = Scripts(
        build_script=bag.get("buildscript", ""),
        local_path=bag.get("localpath", ""),
        start_script=bag.get("startscript", ""),
    )
    return None if scripts == Scripts() else scripts


def _old(project: Project, scripts: Scripts) -> dict[str, str]:
    return {
        "repository": project.repository,
        "buildscript": scripts.build_script,
        "localpath": scripts.local_path,
        "startscript": scripts.start_script,
    }


def _load(model: type[_Wire], bag: Mapping[str, str]) -> _Wire:
    known = model.model_fields.keys() & bag.keys()
    return model.model_validate({key: json.loads(bag[key]) for key in known})


def _lenient(model: type[_Wire], bag: Mapping[str, str]) -> _Wire:
    """What can be read; a field that cannot be read counts as absent."""
    read: dict[str, Any] = {}
    for key in model.model_fields.keys() & bag.keys():
        try:
            read[key] = getattr(_load(model, {key: bag[key]}), key)
        except ValueError:
            continue
    return model.model_validate(read)


def _save(bag: MutableMapping[str, str], value: _Value) -> None:
    wire = value.model_dump(mode="json", exclude_none=True)
    fields = type(value).model_fields
    _set(bag, {key: json.dumps(wire[key]) if key in wire else "" for key in fields})


def _set(bag: MutableMapping[str, str], wanted: Mapping[str, str]) -> None:
    for key, text in wanted.items():
        if bag.get(key, "") != text:
            bag[key] = text


def _explain(error: ValueError) -> str:
    if isinstance(error, pydantic.ValidationError):
        faults = (
            f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}"
            for fault in error.errors()
        )
        return "; ".join(faults)
    return f"a field is not JSON: {error}"
