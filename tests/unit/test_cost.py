"""What is told of a cost, also where only a part of it is known."""

import pathlib
import time

import pytest

from build_hook import project, settings
from build_hook.deploy import cost, meter


@pytest.mark.parametrize(
    ("spent", "told"),
    [
        (cost.Cost(5, 0, 12), "5 requests, 0 failed, longest gap 12 ms"),
        (cost.Cost(5, 1, None), "5 requests, 1 failed"),
        (
            cost.Cost(None, None, 12),
            "requests not counted, the proxy was reloaded, longest gap 12 ms",
        ),
    ],
)
def test_what_is_not_known_is_said(spent, told):
    assert str(spent) == told


def test_services_cost_together_what_is_known_of_all():
    assert cost.total([]) is None
    assert cost.total([cost.Cost(5, 1, None), cost.Cost(2, 0, 40)]) == cost.Cost(7, 1, 40)
    assert cost.total([cost.Cost(5, 1, 10), cost.Cost(None, None, 40)]) == cost.Cost(
        None, None, 40
    )


def test_a_gap_that_has_not_ended_counts():
    answers = iter([True])
    made = meter.Meter(lambda: next(answers, False), every=0.01)
    made.start()
    time.sleep(0.3)

    assert made.stop() >= 0.2


def test_a_probe_that_is_always_answered_has_no_gap_to_speak_of():
    made = meter.Meter(lambda: True, every=0.01)
    made.start()
    time.sleep(0.5)

    assert made.stop() < 0.4


@pytest.mark.parametrize(
    ("port", "health", "probe"),
    [
        ({"app_protocol": "http"}, {"path": "/up"}, meter.Page),
        ({"app_protocol": "http"}, {}, meter.Way),
        ({"app_protocol": "tcp"}, {"path": "/up"}, meter.Way),
        ({"protocol": "udp"}, {}, type(None)),
    ],
)
def test_the_probe_is_the_best_that_a_project_allows(port, health, probe):
    of = project.Project.model_validate(
        {
            "name": "shop",
            "repository": "https://git.example/shop.git",
            "ports": [{"target": 80, "published": 8080, **port}],
            "health": health,
        }
    )

    made = meter.of(of, settings.Settings(state=pathlib.Path("nowhere")))

    assert isinstance(made and made._probe, probe)
