"""What HAProxy 2.6 says on its sockets, as it was recorded."""

import contextlib
import socketserver
import threading
from collections.abc import Generator, Mapping

from build_hook.proxy import runtime

STATES = """\
1
# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight \
srv_time_since_last_change srv_check_status srv_check_result srv_check_health srv_check_state \
srv_agent_state bk_f_forced_id srv_f_forced_id srv_fqdn srv_port srvrecord srv_use_ssl
3 shop 1 a 172.17.0.2 2 0 1 1 9 1 0 1 0 0 0 0 - 8000 - 0
"""
COUNTERS = "# pxname,svname,qcur,qmax,scur\nshop,a,0,0,2\n"
PROCESSES = """\
#<PID>          <type>          <reloads>       <uptime>        <version>
1               master          1 [failed: 0]   0d00h00m09s     2.6.12
# workers
3               worker          0               0d00h00m01s     2.6.12
# old workers
2               worker          1               0d00h00m09s     2.6.12
# programs
"""
GONE = "Can't find the target PID matching the prefix '@!2'\n"


@contextlib.contextmanager
def answering(
    path: str, answers: Mapping[str, str], asked: list[str] | None = None
) -> Generator[None]:
    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            line = self.rfile.readline().decode().strip()
            if asked is not None:
                asked.append(line)
            self.wfile.write(answers[line].encode())

    with socketserver.UnixStreamServer(path, Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


def loads(folder, old: Mapping[str, str]) -> list[runtime.Load]:
    now = {"show servers state": STATES, "show stat": COUNTERS}
    master = {"show proc": PROCESSES, **{f"@!2 {asked}": told for asked, told in old.items()}}
    with (
        answering(f"{folder}/haproxy.sock", now),
        answering(f"{folder}/haproxy-master.sock", master),
    ):
        return runtime.Runtime(folder).loads()


def test_sessions_of_old_workers_count(tmp_path):
    found = loads(tmp_path, {"show servers state": STATES, "show stat": COUNTERS})

    assert found == [runtime.Load("shop", "a", "172.17.0.2", 2)] * 2


def test_an_old_worker_that_has_just_ended_has_no_sessions(tmp_path):
    found = loads(tmp_path, {"show servers state": STATES, "show stat": GONE})

    assert [load.sessions for load in found] == [2, 0]


def test_an_old_worker_that_ended_before_it_was_asked_is_passed_over(tmp_path):
    found = loads(tmp_path, {"show servers state": GONE, "show stat": GONE})

    assert found == [runtime.Load("shop", "a", "172.17.0.2", 2)]


def test_old_workers_are_told_one_command_after_the_other(tmp_path):
    told = {"show proc": PROCESSES, "@!2 build-hook go": "", "@!2 build-hook move shop": ""}
    asked: list[str] = []
    with answering(f"{tmp_path}/haproxy-master.sock", told, asked):
        runtime.Runtime(tmp_path).tell_old("build-hook move shop", "build-hook go")

    assert asked == ["show proc", "@!2 build-hook move shop", "@!2 build-hook go"]
