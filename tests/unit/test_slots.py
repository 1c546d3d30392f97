import os

from build_hook.web import slots


def test_so_many_and_no_more():
    places = slots.Slots(2)
    first, second = places.take(), places.take()

    assert {first, second} == {0, 1}
    assert places.take() is None
    places.give(0)
    assert places.take() == 0


def test_none_at_all():
    assert slots.Slots(0).take() is None


def test_processes_share_them_and_a_dead_ones_are_free_again():
    places = slots.Slots(1)
    ready, told = os.pipe()
    wait, go = os.pipe()
    child = os.fork()
    if not child:
        os.write(told, b"x" if places.take() == 0 else b"-")
        os.read(wait, 1)
        os._exit(0)

    assert os.read(ready, 1) == b"x"
    assert places.take() is None
    os.write(go, b"x")
    os.waitpid(child, 0)
    assert places.take() == 0
    for end in (ready, told, wait, go):
        os.close(end)
