from build_hook.deploy import tally

SERVER = ("shop-8080", "s0")


def row(**columns):
    return {"mode": "http", **{name: str(value) for name, value in columns.items()}}


def test_http_counts_answers_and_what_found_nobody():
    found = tally.of_row(row(hrsp_2xx=90, hrsp_4xx=5, hrsp_5xx=3, econ=1, eresp=1, stot=1000))

    assert found == tally.Tally(100, 5)
    assert found.share == 0.05


def test_tcp_counts_connections():
    assert tally.of_row({"mode": "tcp", "stot": "10", "econ": "2", "eresp": ""}) == tally.Tally(
        10, 2
    )


def test_nothing_asked_is_no_failure():
    assert tally.Tally().share == 0.0


class Proxy:
    def __init__(self) -> None:
        self.rows = {SERVER: row(hrsp_2xx=50, hrsp_5xx=50)}

    def statistics(self):
        return self.rows


def test_a_version_is_not_charged_what_its_line_did_before(tmp_path):
    tallies, proxy = tally.Tallies.__new__(tally.Tallies), Proxy()
    tallies._runtime, tallies._begun = proxy, {}  # type: ignore[assignment]

    assert tallies.count({SERVER}) == tally.Tally(100, 50)
    tallies.begin({SERVER})
    proxy.rows[SERVER] = row(hrsp_2xx=70, hrsp_5xx=50)
    assert tallies.count({SERVER}) == tally.Tally(20, 0)
    proxy.rows[SERVER] = row(hrsp_2xx=4)  # the proxy was reloaded
    assert tallies.count({SERVER}) == tally.Tally(4, 0)
    assert tallies.count({("gone", "s0")}) == tally.Tally()
