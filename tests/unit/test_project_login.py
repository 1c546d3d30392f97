import pydantic
import pytest

from build_hook import project


def entry(url, **of):
    return project.Project.model_validate({"name": "shop", "repository": url, **of})


@pytest.mark.parametrize(
    ("url", "of", "message"),
    [
        ("https://u:pw@h/r", {}, "must not hold a password"),
        ("ssh://u:pw@h/r", {}, "must not hold a password"),
        ("https://h/r", {"deploy_key": "k"}, "reached over ssh"),
        ("git@h:r", {"access_token": "t"}, "reached over https"),
        ("http://h/r", {"access_token": "t"}, "use https"),
        ("http://127.evil.example/r", {"access_token": "t"}, "use https"),
        ("", {"image": "shop", "deploy_key": "k"}, "there is none"),
        ("", {"image": "shop", "access_token": "t"}, "there is none"),
        ("https://h/r", {"access_token": "../t"}, "pattern"),
        ("git@h:r", {"deploy_key": "../k"}, "pattern"),
        ("https://h/r", {"access_token": "t", "access_user": "a b"}, "pattern"),
        ("https://h/r", {"access_token": "t", "access_user": "a:b"}, "pattern"),
        ("https://h/r", {"access_token": "t", "access_user": "a'b"}, "pattern"),
    ],
)
def test_login_that_cannot_work_is_refused(url, of, message):
    with pytest.raises(pydantic.ValidationError, match=message):
        entry(url, **of)


@pytest.mark.parametrize(
    ("url", "of"),
    [
        ("git@h:r", {"deploy_key": "k"}),
        ("ssh://git@h:2222/r", {"deploy_key": "k"}),
        ("https://robot@h/r", {"access_token": "t"}),
        ("https://h/r", {"access_token": "t", "access_user": "robot"}),
        ("http://127.0.0.1:3000/r", {"access_token": "t"}),
        ("http://localhost/r", {"access_token": "t"}),
    ],
)
def test_login_that_fits(url, of):
    assert entry(url, **of)
