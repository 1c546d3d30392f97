"""The certificates relation of the build hook: what is asked for, what becomes of the answer."""

import dataclasses
import datetime
import json
import pathlib

import ops
import ops.testing
import pytest
from charms.docker_build_hook.v0 import dockerfile_testing

from build_hook import certificate
from tests.scenario import fake_ca
from tests.scenario.conftest import HERE


@pytest.fixture(scope="module")
def ca():
    return fake_ca.FakeCa()


def project(*hosts: str, certificates=("juju",), app="shop", published=443):
    port = {"target": 80, "published": published, "hosts": hosts, "certificates": certificates}
    return dockerfile_testing.relation_for_build_hook(
        app=app, machine=HERE, repository=f"https://git.example.com/{app}.git", ports=[port]
    )


def relation() -> ops.testing.Relation:
    return ops.testing.Relation("certificates", remote_app_name="ca")


def replaced(state, new):
    others = [each for each in state.relations if each.id != new.id]
    return dataclasses.replace(state, relations=[*others, new])


def asked(ca, state):
    """Names and addresses of the only request."""
    (request,) = ca.requests(state.get_relations("certificates")[0])
    return request.sans_dns, request.sans_ip


def registered(machine):
    text = (machine.folder / "state" / "registry.json").read_text()
    return [entry["name"] for entry in json.loads(text).get("projects", [])]


def file(machine) -> pathlib.Path:
    return machine.folder / "state" / "certificates" / "juju.pem"


@pytest.fixture
def settled(hook, world, ca):
    """A state in which the authority has answered for shop.example.org."""
    tls, shop = relation(), project("shop.example.org")
    state = hook.run(hook.on.relation_changed(tls), world(tls, shop))
    answered = ca.answer(state.get_relation(tls.id))
    return hook.run(hook.on.relation_changed(answered), replaced(state, answered))


def test_one_request_for_all_host_names(hook, world, ca):
    tls = relation()
    state = world(
        tls,
        project("shop.example.org", "*.example.net"),
        project("blog.example.org", app="blog"),
        project("own.example.org", certificates=["other"], app="own", published=8443),
    )

    state = hook.run(hook.on.relation_created(tls), state)

    dns = {"shop.example.org", "*.example.net", "blog.example.org"}
    assert asked(ca, state) == (dns, set())


def test_who_has_no_host_name_is_reached_at_the_units_address(hook, world, ca):
    tls = relation()

    state = hook.run(hook.on.relation_created(tls), world(tls, project()))

    assert asked(ca, state) == (set(), {"192.0.2.0"})


@pytest.mark.parametrize(
    ("config", "names"),
    [
        ({"tls-port": 443}, (set(), {"192.0.2.0"})),
        ({"tls-port": 443, "public-url": "https://a.example"}, ({"a.example"}, set())),
    ],
)
def test_the_webhook_server_has_one_as_well(hook, world, ca, config, names):
    tls = relation()

    state = hook.run(hook.on.relation_created(tls), world(tls, config=config))

    assert asked(ca, state) == names
    assert ops.testing.TCPPort(443) in state.opened_ports


@pytest.mark.parametrize("config", [{}, {"tls-port": 443, "tls-certificate": "other"}])
def test_nothing_is_asked_for_that_nobody_needs(hook, world, ca, config):
    tls = relation()

    state = hook.run(hook.on.relation_created(tls), world(tls, config=config))

    assert ca.requests(state.get_relation(tls.id)) == []
    assert not isinstance(state.unit_status, ops.WaitingStatus | ops.BlockedStatus)


def test_a_project_waits_for_its_certificate_and_is_registered_with_it(hook, world, ca, machine):
    tls, shop = relation(), project("shop.example.org")

    state = hook.run(hook.on.relation_changed(shop), world(tls, shop))

    assert registered(machine) == []
    assert state.unit_status == ops.BlockedStatus(
        "shop: waits for the certificate juju from the certificates relation"
    )
    answered = ca.answer(state.get_relation(tls.id))
    state = hook.run(hook.on.relation_changed(answered), replaced(state, answered))

    assert registered(machine) == ["shop"]
    assert isinstance(state.unit_status, ops.ActiveStatus)


def test_the_file_is_private_and_good_for_tls(settled, machine, ca):
    found = certificate.read(file(machine), "juju")

    assert file(machine).stat().st_mode & 0o7777 == 0o600
    assert found.names == ("shop.example.org",)
    assert str(ca.certificate) in file(machine).read_text()


def test_no_key_is_in_a_databag(settled):
    for each in settled.relations:
        assert "PRIVATE KEY" not in json.dumps(each.local_unit_data | each.local_app_data)


def test_a_renewal_replaces_the_file_and_restarts_nothing(hook, settled, machine, ca):
    before = file(machine).read_bytes()
    machine.changes.clear()
    renewed = ca.answer(settled.get_relations("certificates")[0], datetime.timedelta(days=500))

    hook.run(hook.on.relation_changed(renewed), replaced(settled, renewed))

    assert file(machine).read_bytes() != before
    assert machine.changes == []


def test_until_a_new_name_is_certified_the_old_certificate_stays(hook, settled, machine, ca):
    before = file(machine).read_bytes()
    shop = settled.get_relations("project")[0]
    other = project("shop.example.org", "new.example.org")
    renamed = dataclasses.replace(shop, remote_app_data=other.remote_app_data)

    state = hook.run(hook.on.relation_changed(renamed), replaced(settled, renamed))

    assert asked(ca, state) == ({"shop.example.org", "new.example.org"}, set())
    assert file(machine).read_bytes() == before
    assert registered(machine) == ["shop"]
    assert state.unit_status == ops.WaitingStatus(
        "Waiting for the certificate of new.example.org, shop.example.org"
    )


def test_an_expiry_asks_again(hook, settled, ca):
    (one,) = ca.requests(settled.get_relations("certificates")[0])
    secret = next(s for s in settled.secrets if "csr" in s.tracked_content)

    state = hook.run(hook.on.secret_expired(secret, revision=1), settled)

    (other,) = ca.requests(state.get_relations("certificates")[0])
    assert str(one) != str(other)
    assert one.sans_dns == other.sans_dns


def test_one_of_ninety_days_is_renewed_before_it_is_said_to_expire_soon(hook, world, ca):
    tls, shop = relation(), project("shop.example.org")
    state = hook.run(hook.on.relation_changed(tls), world(tls, shop))
    days = datetime.timedelta(days=90)
    answered = ca.answer(state.get_relation(tls.id), days)

    state = hook.run(hook.on.relation_changed(answered), replaced(state, answered))

    secret = next(s for s in state.secrets if "csr" in s.tracked_content)
    ends = datetime.datetime.now(datetime.UTC) + days
    assert (ends - secret.expire).total_seconds() > certificate.SOON


def test_a_refusal_is_told(hook, world, ca):
    tls, shop = relation(), project("shop.example.org")
    state = hook.run(hook.on.relation_changed(tls), world(tls, shop))
    refused = ca.refuse(state.get_relation(tls.id), "not our domain")

    state = hook.run(hook.on.relation_changed(refused), replaced(state, refused))

    assert state.unit_status == ops.BlockedStatus(
        "The certificate juju is refused: not our domain"
    )


def test_wrong_config_keeps_what_was_asked_for(hook, settled, ca, machine):
    (one,) = ca.requests(settled.get_relations("certificates")[0])
    broken = dataclasses.replace(settled, config={"concurrency": 0})

    state = hook.run(hook.on.relation_changed(settled.get_relations("certificates")[0]), broken)

    (same,) = ca.requests(state.get_relations("certificates")[0])
    assert str(same) == str(one)
    assert file(machine).exists()


def test_without_the_relation_the_fix_is_named(hook, world):
    shop = project("shop.example.org")

    state = hook.run(hook.on.relation_changed(shop), world(shop))

    assert state.unit_status == ops.BlockedStatus(
        "Nothing brings or renews the certificate juju: juju integrate build-hook:certificates CA"
    )


def test_a_relation_that_goes_leaves_the_certificate_in_force(hook, settled, machine):
    tls = settled.get_relations("certificates")[0]

    state = hook.run(hook.on.relation_broken(tls), settled)

    assert file(machine).exists()
    assert registered(machine) == ["shop"]
    assert not any("private-key" in s.tracked_content for s in state.secrets)
    assert isinstance(state.unit_status, ops.BlockedStatus)


def test_the_file_goes_with_the_last_who_needed_it(hook, settled, machine):
    kept = [each for each in settled.relations if each.endpoint in ("docker-host", "peers")]

    hook.run(hook.on.update_status(), dataclasses.replace(settled, relations=kept))

    assert not file(machine).exists()


def test_git_hosts_are_told_https_once_there_is_a_certificate(hook, world, ca):
    tls, shop = relation(), project(certificates=[], published=80)
    config = {"tls-port": 8443}
    state = hook.run(hook.on.relation_changed(tls), world(tls, shop, config=config))
    bag = state.get_relation(shop.id).local_unit_data
    assert json.loads(bag["webhook_url"]) == "http://192.0.2.0:8080/hooks/shop"

    answered = ca.answer(state.get_relation(tls.id))
    state = hook.run(hook.on.relation_changed(answered), replaced(state, answered))

    bag = state.get_relation(shop.id).local_unit_data
    assert json.loads(bag["webhook_url"]) == "https://192.0.2.0:8443/hooks/shop"


def test_web_that_waits_for_its_certificate_is_not_blamed_for_the_lack(hook, world, history):
    tls, shop = relation(), project(certificates=[], published=80)
    history.ill(web="There is no certificate juju")

    state = hook.run(hook.on.relation_changed(tls), world(tls, shop, config={"tls-port": 8443}))

    assert state.unit_status == ops.WaitingStatus("Waiting for the certificate of 192.0.2.0")


def test_a_project_cannot_have_the_port_of_the_webhook_server(hook, world):
    shop = project(certificates=["own"])

    state = hook.run(hook.on.relation_changed(shop), world(shop, config={
        "tls-port": 443, "tls-certificate": "own"
    }))  # fmt: skip

    assert state.unit_status == ops.BlockedStatus(
        "shop: the webhook server and shop both publish port 443 without hosts: give all but one "
        "of them host names, or another port"
    )
