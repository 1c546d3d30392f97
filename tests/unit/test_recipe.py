import pydantic
import pytest

from build_hook import recipe


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"ulimits": {"speed": 1}}, "ulimits"),
        ({"ulimits": {"nofile": -2}}, "greater than or equal to -1"),
        ({"secrets": ["../etc/passwd"]}, "match pattern"),
        ({"secrets": [{"source": "a", "target": "a,src=/etc/passwd"}]}, "match pattern"),
        ({"ssh": {"a=b": "key"}}, "cannot be a name"),
        ({"ssh": {"default": "/etc/shadow"}}, "match pattern"),
        ({"platforms": ["linux/amd64"] * 9}, "at most 8 items"),
        ({"platforms": ["--help"]}, "match pattern"),
        ({"network": "shared"}, "'default', 'host' or 'none'"),
        ({"labels": {"io.build-hook.project": "other"}}, "build-hook's own"),
        ({"additional_contexts": {"a": "../.."}}, "inside the repository"),
        ({"provenance": "perhaps"}, "match pattern"),
        ({"limits": {"pids": 0}}, "greater than or equal to 1"),
    ],
)
def test_what_cannot_be_is_refused(given, message):
    with pytest.raises(pydantic.ValidationError, match=message):
        recipe.Build.model_validate(given)


def test_short_forms_of_compose():
    short = recipe.Build.model_validate(
        {"ulimits": {"nofile": 10}, "secrets": ["npm"], "ssh": ["default=key"]}
    )
    long = recipe.Build.model_validate(
        {
            "ulimits": {"nofile": {"soft": 10, "hard": 10}},
            "secrets": [{"source": "npm"}],
            "ssh": {"default": "key"},
        }
    )

    assert short == long
    assert short.secrets[0].id == "npm"
