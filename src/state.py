"""What this unit should run: gathered once from Juju into one frozen value."""

import dataclasses
import hashlib
import re
from typing import Literal

import pydantic
from charms.docker_build_hook.v0 import dockerfile

import asked
import certified
import config
import kept
import project_secrets
import service
import webhooks
from build_hook import claims, project, registry, settings
from build_hook.proxy import entrance

Protocol = Literal["tcp", "udp"]
_NAMED = re.compile(rf'"({re.escape(service.SECRET_PREFIX)}[a-z0-9._-]+)"')


@dataclasses.dataclass(frozen=True)
class Desired:
    """The whole: what is written, what is told to the projects, what an operator must mend."""

    config: config.Config
    registry: registry.Registry
    secrets: tuple[project_secrets.SecretFile, ...] = ()
    problems: tuple[tuple[str, str], ...] = ()
    """Project (by application) and the sentence that says what is wrong with it."""
    certificate_names: tuple[str, ...] = ()
    """Host names and addresses that the certificate of the relation has to name."""

    @property
    def ports(self) -> tuple[tuple[Protocol, int], ...]:
        """Every port that the world may reach, with its protocol."""
        ports = [port for entry in self.registry.projects for port in entry.ports]
        web = {self.config.product.port, self.config.product.tls_port} - {0}
        reached: set[tuple[Protocol, int]] = {("tcp", number) for number in web}
        reached |= {(port.protocol, number) for port in ports for number in port.listens_on}
        return tuple(sorted(reached))

    @property
    def named_secrets(self) -> frozenset[str]:
        """Every file of secrets that the registry names."""
        return frozenset(_NAMED.findall(self.registry.model_dump_json(exclude_defaults=True)))

    def problem(self, app: str) -> str | None:
        """What is wrong with a project."""
        return dict(self.problems).get(app)


def desired(
    wanted: config.Config,
    requests: tuple[dockerfile.Request, ...],
    secrets: dict[str, webhooks.WebhookSecret],
    own: dict[str, project_secrets.Own],
    present: registry.Registry,
    address: str = "",
    lack: str | None = None,
) -> Desired:
    """Work out what should run; ``own`` are the secrets that projects bring themselves.

    A project that cannot be understood stays as it is in the ``present`` registry: wrong data
    changes nothing that runs. ``address`` is the unit's, for who has no host name; ``lack`` says
    why a project cannot have the certificate of the relation yet.
    """
    here = [request for request in requests if request.is_here]
    problems: dict[str, str] = {}
    candidates = {r.app: _candidate(r, secrets, own, present, problems) for r in here}
    candidates |= kept.of(wanted, here, present)
    names_asked = certified.names(wanted.product, filter(None, candidates.values()), address)
    if lack is not None:
        certified.withhold(candidates, present, problems, lack)
    accepted = _without_clashes(wanted.product, candidates, present, problems)
    names = {p.name for p in accepted}
    return Desired(
        config=wanted,
        registry=registry.Registry(projects=accepted),
        secrets=tuple(
            file
            for app, entry in sorted(candidates.items())
            if entry is not None and entry.name in names
            for file in (*_files(app, secrets.get(app)), *_own(own, app).files)
        ),
        problems=tuple(sorted(problems.items())),
        certificate_names=names_asked,
    )


def name_of(request: dockerfile.Request) -> str:
    """The project's name in the registry."""
    return (request.project.name if request.project else None) or request.app


def _candidate(
    request: dockerfile.Request,
    secrets: dict[str, webhooks.WebhookSecret],
    own: dict[str, project_secrets.Own],
    present: registry.Registry,
    problems: dict[str, str],
) -> project.Project | None:
    if request.project is None:
        if request.problem is not None:
            problems[request.app] = request.problem
        return present.find(name_of(request))  # it may be kept from before: that goes on
    brought = _own(own, request.app)
    names = [file.name for file in _files(request.app, secrets.get(request.app))]
    try:
        if brought.problem:
            raise ValueError(brought.problem)
        fields = asked.fields(request.project, brought.fields)
        return project.Project.model_validate(
            {**fields, "name": name_of(request), "webhook_secrets": names}
        )
    except ValueError as error:
        problems[request.app] = _reason(error)
        return present.find(name_of(request))


def _own(own: dict[str, project_secrets.Own], app: str) -> project_secrets.Own:
    return own.get(app, project_secrets.Own())


def _reason(error: ValueError) -> str:
    if isinstance(error, pydantic.ValidationError):
        message, _ = settings.explain(error, "project")
        return message.partition(": ")[2]
    return str(error)


def _without_clashes(
    wanted: settings.Settings,
    candidates: dict[str, project.Project | None],
    present: registry.Registry,
    problems: dict[str, str],
) -> tuple[project.Project, ...]:
    """First come, first served: those that serve already are asked first."""
    board = claims.Claims()
    if (web := entrance.port(wanted)) is not None:
        board.add(entrance.NAME, web)
    names: dict[str, str] = {}
    accepted: list[project.Project] = []
    serving = {p.name for p in present.projects}
    order = sorted(candidates, key=lambda app: (_name(candidates[app]) not in serving, app))
    for app in order:
        entry = candidates[app]
        if entry is None:
            continue
        problem = _clash(entry, wanted, board, names)
        if problem is not None:
            problems[app] = problem
            before = present.find(entry.name)
            is_free = before and _clash(before, wanted, board, names) is None
            entry = before if is_free else None
        if entry is not None:
            names[entry.name] = app
            accepted.append(entry)
    return tuple(sorted(accepted, key=lambda p: p.name))


def _clash(
    entry: project.Project, wanted: settings.Settings, board: claims.Claims, names: dict[str, str]
) -> str | None:
    """Why the project cannot have what it claims; None if it has got it."""
    if entry.name in names:
        return f"the name {entry.name} belongs to {names[entry.name]}; choose another"
    own = {n for port in entry.ports if port.protocol == "tcp" for n in port.listens_on}
    if wanted.port in own:
        return f"port {wanted.port} belongs to the webhook server; publish another"
    return board.add(entry.name, *entry.ports)


def _name(entry: project.Project | None) -> str:
    return entry.name if entry else ""


def _files(app: str, secret: webhooks.WebhookSecret | None) -> list[project_secrets.SecretFile]:
    """A file for each value, which never gets another: while one is rotated web knows both."""
    if secret is None:
        return []
    values = (secret.value, *((secret.previous,) if secret.previous else ()))
    return [project_secrets.SecretFile(_file_name(app, value), value, "web") for value in values]


def _file_name(app: str, value: str) -> str:
    """Told by a digest of the value, which is random and long: it can be read, not be guessed."""
    return f"{service.SECRET_PREFIX}{app}.{hashlib.sha256(value.encode()).hexdigest()[:8]}"
