"""Who may have which published port and host name."""

from typing import Any

import pydantic
import pytest

from build_hook import claims, project


def of(name: str, *ports: dict[str, Any]) -> project.Project:
    return project.Project.model_validate(
        {
            "name": name,
            "repository": "https://git.example/x.git",
            "ports": [{"target": 80, "published": 443, **port} for port in ports],
        }
    )


TLS = {"certificates": ["one"]}


@pytest.mark.parametrize(
    ("a", "b", "said"),
    [
        ({}, {}, "a and b both publish port 443 without hosts: give all but one of them host"),
        ({"hosts": ["X.org"]}, {"hosts": ["y.org", "x.org."]}, "a and b both claim x.org on port"),
        ({"hosts": ["*.x.org"]}, {"hosts": ["*.x.org"]}, "a and b both claim *.x.org on port 443"),
        (TLS, {"hosts": ["x.org"]}, "a and b share port 443, one speaks HTTP with TLS, the other"),
        ({"app_protocol": "tcp"}, {"hosts": ["x.org"]}, "one speaks TCP, the other HTTP: publish"),
        ({**TLS, "redirect_from": 80}, {"published": 80}, "a and b both publish port 80 without"),
        (
            {**TLS, "hosts": ["x.org"], "redirect_from": 80},
            {"published": 80, "hosts": ["x.org"]},
            "a and b both claim x.org on port 80",
        ),
    ],
)
def test_two_that_cannot_both_have_it_are_named(a: Any, b: Any, said: str):
    problem = claims.conflict((of("a", a), of("b", b)))

    assert problem is not None
    assert said in problem


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ({}, {"published": 80}),
        ({}, {"hosts": ["x.org"]}),
        ({"hosts": ["x.org"]}, {"hosts": ["*.x.org"]}),
        ({**TLS, "hosts": ["x.org"], "redirect_from": 80}, {"published": 80, "hosts": ["y.org"]}),
        (
            {**TLS, "hosts": ["x.org"], "redirect_from": 80},
            {**TLS, "hosts": ["y.org"], "redirect_from": 80},
        ),
    ],
)
def test_what_goes_together_is_taken(a: Any, b: Any):
    assert claims.conflict((of("a", a), of("b", b))) is None


@pytest.mark.parametrize(
    ("port", "said"),
    [
        ({"hosts": ["shop example"]}, "'shop example' must be a host name such as shop.example"),
        ({"hosts": ["a.*.org"]}, "must be a host name"),
        ({"hosts": ["http://x.org"]}, "must be a host name"),
        ({"hosts": [f"{'a' * 64}.org"]}, "must be a host name"),
        ({"redirect_from": 80}, "redirect_from is for HTTP with certificates"),
        ({**TLS, "app_protocol": "tcp", "redirect_from": 80}, "redirect_from is for HTTP with"),
        ({**TLS, "redirect_from": 443}, "redirect_from must be another port"),
        ({"certificates": ["../x"]}, "certificates"),
    ],
)
def test_what_makes_no_sense_is_refused(port: Any, said: str):
    with pytest.raises(pydantic.ValidationError, match=said):
        of("a", port)


def test_names_and_certificates_are_no_reason_to_deploy():
    plain = of("a", {})

    assert of("a", {**TLS, "hosts": ["x.org"], "redirect_from": 80}).runs_as == plain.runs_as
    assert of("a", {"target": 81}).runs_as != plain.runs_as


def test_the_number_of_replicas_is_no_reason_to_deploy():
    def replicas(number: int, **limits: str) -> str:
        deploy = {"replicas": number, "resources": {"limits": limits}}
        return of("a", {}).model_validate({**of("a", {}).model_dump(), "deploy": deploy}).runs_as

    assert replicas(3) == replicas(1) == of("a", {}).runs_as
    assert replicas(1, memory="64m") == replicas(3, memory="64m") != replicas(3)
