"""What one process of web does when it is told to stop."""

import asyncio

from gunicorn.workers import gasgi

from build_hook.web import web_worker


class Idle:
    """A connection on which nothing was asked."""

    def __init__(self):
        self.closed = asyncio.Event()

    def close_if_idle(self):
        self.closed.set()


def test_a_connection_that_was_just_being_taken_is_closed_too(monkeypatch):
    monkeypatch.setattr(web_worker, "LATE_SECONDS", 0.05)

    async def stop():
        early, late = Idle(), Idle()

        async def wait_for_all(self):
            self.connections.add(late)
            await asyncio.wait_for(late.closed.wait(), 5)

        monkeypatch.setattr(gasgi.ASGIWorker, "_shutdown", wait_for_all)
        worker = object.__new__(web_worker.WebWorker)
        worker.loop = asyncio.get_running_loop()
        worker.state = {"stopping": asyncio.Event()}
        vars(worker)["connections"] = {early}
        await worker._shutdown()
        return early.closed.is_set()

    assert asyncio.run(stop())
