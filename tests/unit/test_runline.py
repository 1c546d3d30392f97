"""Reading a ``docker run`` as docker does, and saying it again as a version of ours."""

import pytest

from build_hook.shim import runline

LABELS = {"io.build-hook.project": "shop"}


def created(text, **given):
    known = {"container": "shop-7", "network": "ours", "labels": LABELS}
    return runline.parse(text.split()).create(**(known | given))


def options(text):
    return list(runline.parse(text.split()).options)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("-d image", [("detach", None)]),
        ("-dit image", [("detach", None), ("interactive", None), ("tty", None)]),
        ("-p 80:80 image", [("publish", "80:80")]),
        ("-p80:80 image", [("publish", "80:80")]),
        ("-p=80:80 image", [("publish", "80:80")]),
        ("-dp 80:80 image", [("detach", None), ("publish", "80:80")]),
        ("--publish=80:80 --rm image", [("publish", "80:80"), ("rm", None)]),
        ("--net host image", [("network", "host")]),
        ("--ulimit nofile=1:2 image", [("ulimit", "nofile=1:2")]),
        ("--init --env-file x image", [("init", None), ("env-file", "x")]),
        ("--rm=false image", [("rm", "false")]),
        ("-e A -- image", [("env", "A")]),
    ],
)
def test_options_are_read_as_docker_reads_them(text, expected):
    assert options(text) == expected


def test_what_follows_the_image_is_the_command():
    line = runline.parse(["-d", "image", "run", "-p", "x"])

    assert (line.image, line.command) == ("image", ("run", "-p", "x"))


@pytest.mark.parametrize("text", ["", "-d", "-p", "--name", "-Z image"])
def test_what_is_no_run_is_told(text):
    with pytest.raises(runline.UnreadableError):
        runline.parse(text.split())


def test_a_version_is_ours_where_it_must_be_and_the_scripts_elsewhere():
    words = created(
        "-d -p 9000:80 -v /data:/d --restart=on-failure:10 --name shop --rm --cpus 2 -e A=1 "
        "--log-driver syslog -P image serve --port 80"
    )

    assert words == [
        "--name", "shop-7", "--restart", "no", "--network", "ours", "--network-alias", "shop",
        "--label", "io.build-hook.project=shop", "--label", "io.build-hook.role=candidate",
        "--volume=/data:/d", "--cpus=2", "--env=A=1", "--log-driver=syslog", "--publish-all",
        "--", "image", "serve", "--port", "80",
    ]  # fmt: skip


def test_a_roll_back_takes_another_image():
    assert created("-d shop x", image="sha256:abc")[-3:] == ["--", "sha256:abc", "x"]


@pytest.mark.parametrize(
    ("text", "ports"),
    [
        ("-p 9000:80 i", [(9000, 80)]),
        ("-p 9000:80/tcp -p 9001:81 i", [(9000, 80), (9001, 81)]),
        ("-p 0.0.0.0:9000:80 i", [(9000, 80)]),
        ("-p 9000-9001:80-81 i", [(9000, 80), (9001, 81)]),
        ("-p 80 i", []),
        ("-p 9000:80/udp i", [(9000, 80)]),
        ("-p 9000:80/sctp i", []),
        ("-p 127.0.0.1:9000:80 i", []),
    ],
)
def test_the_proxy_takes_the_ports_that_it_can_serve(text, ports):
    line = runline.parse(text.split())

    assert [(p.published, p.target) for p in line.ports] == ports
    taken = {word for word in created(text) if word.startswith("--publish")}
    assert bool(taken) is not bool(ports)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("-d -p 80:80 i", None),
        ("-d -p 80 i", None),
        ("-d --network mine i", None),
        ("-d --network host i", "--network host"),
        ("-d --net container:x i", "--network container:x"),
        ("-d --link db i", "--link"),
        ("-d --ip 172.1.2.3 i", "--ip"),
        ("-d -p 64738:64738 -p 64738:64738/udp i", None),
        ("-d -p 9000:80/sctp i", "9000:80/sctp"),
        ("-d -p 127.0.0.1:80:80 i", "127.0.0.1:80:80"),
        ("-d -p 80-81:80 i", "80-81:80"),
    ],
)
def test_what_cannot_run_twice_says_why(text, why):
    reason = runline.parse(text.split()).why_alone

    assert (reason is None) if why is None else (reason is not None and why in reason)


def test_files_that_docker_reads_are_known_and_can_be_read_elsewhere():
    line = runline.parse(
        ["--env-file", "a.env", "-e", "A=1", "--label-file=b", "--env-file=c", "i"]
    )

    assert line.files == ("a.env", "b", "c")
    assert line.reading({0: "/kept/0", 2: "/kept/2"}).files == ("/kept/0", "b", "/kept/2")
    assert line.reading({}) == line


def test_a_container_without_a_network_of_its_own_stays_there():
    words = created("-d --network host --name shop i")

    assert words[words.index("--network") + 1] == "host"
    assert "--network-alias" not in words
    assert runline.parse(["-d", "--network", "host", "-p", "80:80", "i"]).ports == ()
