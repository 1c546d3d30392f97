"""The calls of the API, one row each: resources and document are both made of this table."""

import dataclasses
from collections.abc import Callable

from build_hook.store.tokens import Scope
from build_hook.web.api import (
    builds,
    call,
    delivered,
    deliveries,
    logs,
    models,
    parts,
    pauses,
    projects,
)

PREFIX = "/api/v1"


@dataclasses.dataclass(frozen=True, slots=True)
class Route:
    """One call: ``query`` or ``body`` is what it takes, ``gives`` what it answers.

    ``gives`` is None for a log. ``refusals`` are the statuses that this call alone can have.
    """

    method: str
    path: str
    name: str
    scope: Scope
    act: Callable[[parts.Parts, call.Call], models.Given | logs.Log]
    gives: type[models.Given] | None
    status: int = 200
    query: type[models.Asked] = models.Nothing
    body: type[models.Asked] | None = None
    refusals: tuple[int, ...] = ()

    @property
    def summary(self) -> str:
        """What it does, in one line."""
        return (self.act.__doc__ or "").partition("\n")[0]

    @property
    def errors(self) -> tuple[int, ...]:
        """Every status that is a refusal."""
        of_body = (413, 415) if self.body else ()
        of_path = (404,) if "{" in self.path else ()
        return tuple(sorted({400, 401, 403, 422, 429, 503, *of_body, *of_path, *self.refusals}))


ROUTES = (
    Route(
        "GET",
        "/projects",
        "list_projects",
        Scope.READ,
        projects.every,
        models.Projects,
        query=models.ProjectsPage,
    ),
    Route("GET", "/projects/{name}", "get_project", Scope.READ, projects.one, models.Project),
    Route(
        "POST",
        "/projects/{name}/deploy",
        "deploy_project",
        Scope.DEPLOY,
        projects.deploy,
        models.Build,
        status=202,
        body=models.Deploy,
        refusals=(409,),
    ),
    Route(
        "POST",
        "/projects/{name}/rollback",
        "roll_back_project",
        Scope.DEPLOY,
        projects.roll_back,
        models.Build,
        status=202,
        body=models.Rollback,
        refusals=(409,),
    ),
    Route(
        "POST",
        "/projects/{name}/pause",
        "pause_project",
        Scope.DEPLOY,
        pauses.pause,
        pauses.Held,
        body=pauses.Pause,
    ),
    Route(
        "POST",
        "/projects/{name}/resume",
        "resume_project",
        Scope.DEPLOY,
        pauses.resume,
        pauses.Held,
        body=models.Nothing,
    ),
    Route(
        "POST", "/pause", "pause", Scope.DEPLOY, pauses.pause_all, pauses.Held, body=pauses.Pause
    ),
    Route(
        "POST",
        "/resume",
        "resume",
        Scope.DEPLOY,
        pauses.resume_all,
        pauses.Held,
        body=models.Nothing,
    ),
    Route(
        "GET",
        "/builds",
        "list_builds",
        Scope.READ,
        builds.every,
        models.Builds,
        query=models.Page,
    ),
    Route("GET", "/builds/{id}", "get_build", Scope.READ, builds.one, models.BuildWithPhases),
    Route(
        "GET",
        "/builds/{id}/log",
        "get_log",
        Scope.READ,
        builds.log,
        None,
        query=models.LogOptions,
    ),
    Route(
        "POST",
        "/builds/{id}/cancel",
        "cancel_build",
        Scope.DEPLOY,
        builds.cancel,
        models.Build,
        status=202,
        body=models.Nothing,
        refusals=(409,),
    ),
    Route(
        "GET",
        "/deliveries",
        "list_deliveries",
        Scope.READ,
        deliveries.every,
        delivered.Deliveries,
        query=models.Page,
    ),
    # headers and addresses are about those who sent it
    Route(
        "GET",
        "/deliveries/{id}",
        "get_delivery",
        Scope.ADMIN,
        deliveries.one,
        delivered.DeliveryWithHeaders,
    ),
    Route(
        "POST",
        "/deliveries/{id}/replay",
        "replay_delivery",
        Scope.DEPLOY,
        deliveries.again,
        delivered.Replayed,
        status=202,
        body=models.Nothing,
        refusals=(409,),
    ),
)
