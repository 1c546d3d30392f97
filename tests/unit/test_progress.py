import pytest

from build_hook.deploy import progress

LOG = """== 10:00:00 building
#2 [internal] load build definition from Dockerfile
#2 DONE 0.0s
#4 [build 1/3] FROM docker.io/library/base
#5 [build 2/3] RUN npm ci
#5 0.120 [9/9] linking dependencies
"""


@pytest.fixture
def told(tmp_path):
    def tell(text):
        (tmp_path / "1.log").write_text(text, encoding="utf-8")
        return progress.of_log(tmp_path / "1.log")

    return tell


def test_newest_step_is_told_and_what_it_prints_is_none(told):
    found = told(LOG)

    assert found == progress.Progress("build", 2, 3, "RUN npm ci")
    assert str(found) == "build, step 2/3 RUN npm ci"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("#5 [2/4] COPY . .", "step 2/4 COPY . ."),
        ("#12 [stage-1  3/12] RUN make", "stage-1, step 3/12 RUN make"),
        (f"#5 [2/4] RUN {'x' * 100}", f"step 2/4 RUN {'x' * 75}…"),
    ],
)
def test_forms_of_a_step(told, line, said):
    assert str(told(f"{LOG}{line}\n")) == said


def test_nothing_is_told_before_the_first_step(told, tmp_path):
    assert told("== 10:00:00 fetching\n") is None
    assert progress.of_log(tmp_path / "none.log") is None


def test_long_log_is_read_from_its_end(told):
    assert told(LOG + "#5 0.2 noise\n" * 200_000) is None
    assert str(told("#5 0.2 noise\n" * 200_000 + LOG)).startswith("build, step 2/3")
