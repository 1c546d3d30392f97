"""How a version proves itself: before it gets traffic, and while it is watched."""

from typing import Annotated

import pydantic

from build_hook import values


class Health(values.Value):
    """What a new container must show before it gets traffic.

    An image's own HEALTHCHECK always counts. With ``path`` an HTTP GET must answer 2xx or 3xx;
    without either a TCP connection must succeed on every published target, and a UDP target must
    have somebody who listens.
    """

    path: str | None = pydantic.Field(
        default=None, pattern=r"^/[!-~]*$", description="path that an HTTP GET must find"
    )
    port: values.PortNumber | None = pydantic.Field(
        default=None, description="container port for path; default: the first target"
    )
    timeout: values.Seconds = pydantic.Field(
        default=60, description="seconds a new container has to become ready"
    )
    interval: Annotated[float, pydantic.Field(ge=0.01, le=60)] = pydantic.Field(
        default=0.05, description="seconds between two probes"
    )
    successes: Annotated[int, pydantic.Field(ge=1, le=100)] = pydantic.Field(
        default=2, description="probes in a row that must succeed"
    )
    min_uptime: values.Seconds = pydantic.Field(
        default=0.5, description="seconds a new container must have run without a restart"
    )


class Tolerance(values.Value):
    """What a new version may do wrong while it is watched, before the old one is put back."""

    errors: Annotated[int, pydantic.Field(ge=1)] = pydantic.Field(
        default=10, description="failed answers (5xx) below which it is left alone"
    )
    share: Annotated[float, pydantic.Field(ge=0, le=1)] = pydantic.Field(
        default=0.05,
        description="how much larger its share of failed answers may be than that of the version "
        "before, in parts of one",
    )
    probes: Annotated[int, pydantic.Field(ge=1)] = pydantic.Field(
        default=3, description="failed probes, in a row or not, that send it back"
    )
