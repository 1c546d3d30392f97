"""What builders say as JSON becomes the lines that people and other parts know."""

import base64
import json
import pathlib

import pytest

from build_hook import recipe
from build_hook.deploy import build_failure, process, progress, rawjson

NPM, FROM, COPY = (f"sha256:{letter * 64}" for letter in "abc")
AT = "2026-11-22T10:00:0{}.123456789Z"


def news(**of):
    return json.dumps(of)


def vertex(digest, name, started=None, completed=None, **of):
    times = {"started": started, "completed": completed}
    given = {key: AT.format(second) for key, second in times.items() if second is not None}
    return news(vertexes=[{"digest": digest, "name": name, **given, **of}])


def log(digest, text, second, stream=1):
    data = base64.b64encode(text.encode()).decode()
    row = {"vertex": digest, "stream": stream, "data": data, "timestamp": AT.format(second)}
    return news(logs=[row])


def read(*lines):
    reader = rawjson.Reader()
    return [said for line in lines for said in reader(line)]


# A build as buildx tells it: what is planned has no time yet, what runs is told again and again.
BUILD = [
    news(vertexes=[{"digest": FROM, "name": "[build 1/3] FROM base"},
                   {"digest": NPM, "name": "[build 2/3] RUN npm ci", "inputs": [FROM]}]),
    vertex(FROM, "[build 1/3] FROM base", 0, 0, cached=True),
    vertex(NPM, "[build 2/3] RUN npm ci", 1),
    vertex(NPM, "[build 2/3] RUN npm ci", 1),
    log(NPM, "added 3 packages\nand a ha", 2),
    log(NPM, "lf line\n", 3),
    log(NPM, "no end of line", 4, stream=2),
    news(statuses=[{"id": "extracting", "vertex": NPM, "current": 1, "timestamp": AT.format(4)}]),
    news(statuses=[{"id": "extracting", "vertex": NPM, "current": 2, "timestamp": AT.format(5),
                    "completed": AT.format(5)}]),
    vertex(NPM, "[build 2/3] RUN npm ci", 1, 6),
    vertex(NPM, "[build 2/3] RUN npm ci", 1, 6),
]  # fmt: skip


def test_build_reads_as_one_in_plain_words():
    assert read(*BUILD) == [
        "#1 [build 1/3] FROM base",
        "#1 CACHED",
        "#2 [build 2/3] RUN npm ci",
        "#2 1.000 added 3 packages",
        "#2 2.000 and a half line",
        "#2 extracting done",
        "#2 5.000 no end of line",
        "#2 DONE 5.0s",
    ]


def test_progress_is_read_from_it(tmp_path: pathlib.Path):
    (tmp_path / "1.log").write_text("\n".join(read(*BUILD)), encoding="utf-8")

    assert str(progress.of_log(tmp_path / "1.log")) == "build, step 2/3 RUN npm ci"


@pytest.mark.parametrize(
    ("error", "end"),
    [
        ('process "/bin/sh -c npm ci" did not complete successfully: exit code: 1', "ERROR: pro"),
        ("rpc error: context canceled", "CANCELED"),
    ],
)
def test_step_that_fails_says_why(error, end):
    said = read(vertex(NPM, "RUN npm ci", 1), vertex(NPM, "RUN npm ci", 1, 3, error=error))

    assert said[-1].startswith(f"#1 {end}")


def test_step_that_runs_again_is_told_again():
    said = read(vertex(COPY, "COPY . .", 0, 1), vertex(COPY, "COPY . .", 2, 3))

    assert said == ["#1 COPY . .", "#1 DONE 1.0s", "#1 COPY . .", "#1 DONE 1.0s"]


def test_warnings_are_told():
    short = base64.b64encode(b"MaintainerDeprecated").decode()

    assert read(news(warnings=[{"vertex": NPM, "short": short, "level": 1}])) == [
        "#1 WARNING: MaintainerDeprecated"
    ]


@pytest.mark.parametrize(
    "line",
    ["ERROR: failed to solve: exit code: 137", "", "{ is no news", '{"logs": [{"data": 5}]}'],
)
def test_what_is_no_news_stays_as_it_is(line):
    assert read(line) == [line]


def test_news_longer_than_what_is_read_at_once_is_put_together():
    text = "x" * 70_000
    whole = log(NPM, f"{text}\n", 2)
    parts = [whole[:65_537], whole[65_537:]]

    assert read(vertex(NPM, "RUN", 1), *parts)[1:] == [f"#1 1.000 {text}"]


def test_news_of_the_future_are_read_as_far_as_they_are_known():
    assert read(news(vertexes=[], wonders=[1])) == []


def test_line_without_an_end_is_told_in_parts():
    said = read(vertex(NPM, "RUN", 1), *[log(NPM, "x" * 40_000, 2)] * 4)

    assert [len(line) for line in said[1:]] == [80_009, 80_009]


def test_program_s_last_lines_are_those_that_were_read():
    script = "\n".join(["cat <<'END'", *BUILD, "ERROR: failed: exit code: 137", "END", "exit 1"])
    lines: list[str] = []

    with pytest.raises(process.ProcessError) as failed:
        process.run(
            ["/bin/sh", "-c", script], timeout=20, on_line=lines.append, read=rawjson.Reader()
        )

    assert lines == [*read(*BUILD), "ERROR: failed: exit code: 137"]
    assert failed.value.tail == tuple(lines)
    said = build_failure.of(failed.value, recipe.Build())
    assert "A step was killed: ERROR: failed: exit code: 137" in str(said)
