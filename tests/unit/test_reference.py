import pytest

from build_hook import reference, refs

DIGEST = f"sha256:{'a' * 64}"


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("redis", "docker.io/library/redis:latest"),
        ("redis:7", "docker.io/library/redis:7"),
        ("docker.io/redis:7", "docker.io/library/redis:7"),
        ("index.docker.io/team/shop", "docker.io/team/shop:latest"),
        ("team/shop:v1.2", "docker.io/team/shop:v1.2"),
        ("Registry.example/team/shop", "registry.example/team/shop:latest"),
        ("localhost/shop", "localhost/shop:latest"),
        ("127.0.0.1:5000/a/b/c:x", "127.0.0.1:5000/a/b/c:x"),
        ("[::1]:5000/shop:x", "[::1]:5000/shop:x"),
        (f"ghcr.io/team/shop:main@{DIGEST}", f"ghcr.io/team/shop@{DIGEST}"),
        (f"shop@{DIGEST}", f"docker.io/library/shop@{DIGEST}"),
    ],
)
def test_a_name_is_read_as_the_engine_reads_it(text, whole):
    found = reference.parse(text)

    assert str(found) == whole
    assert str(reference.parse(whole)) == whole


@pytest.mark.parametrize(
    "text",
    ["", "Shop", "team/", "/shop", "shop:", "shop:-x", "a//b", "shop@sha256:abc", "-x", "a b",
     "host.example:99999999/a", "../x", "shop\n", "http://h/x", "x" * 300],
)  # fmt: skip
def test_what_is_no_name_is_refused(text):
    with pytest.raises(ValueError, match=r"must be the name|has no valid"):
        reference.parse(text)


def test_an_image_follows_its_tag_or_its_digest():
    assert refs.of_image(reference.parse("shop:v1")) == "refs/tags/v1"
    assert refs.of_image(reference.parse(f"shop@{DIGEST}")) == f"refs/digests/sha256/{'a' * 64}"
