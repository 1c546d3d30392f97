"""The page that compares us with the original says what is so."""

from tests import deliveries, hooked


def test_the_page_is_current():
    assert hooked.PAGE.read_text(encoding="utf-8") == hooked.page()


def test_every_recorded_delivery_has_its_row():
    assert set(hooked.recorded()["0.3"]["post_fixtures"]) == set(deliveries.all_of_them())


def test_what_the_original_ran_for_a_push_is_built():
    for name, delivery in deliveries.all_of_them().items():
        answer = hooked.recorded()["0.3"]["post_fixtures"][name]
        changes = delivery.expected["changes"]
        is_push = delivery.expected["kind"] == "push" and changes and not changes[0]["deleted"]
        if answer["status"] == 200 and is_push:
            assert hooked.ours(delivery)[0] == 202, name


def test_nothing_that_failed_there_fails_here():
    for name, delivery in deliveries.all_of_them().items():
        if hooked.recorded()["0.3"]["post_fixtures"][name]["status"] >= 400:
            assert hooked.ours(delivery)[0] in (200, 202), name
