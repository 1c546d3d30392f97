import concurrent.futures
import sqlite3

from build_hook.store import builds, database, lingering, tables

RENAMED = 3  # the migration that this file is about brings version 3 to 4


def old_database(path, settings):
    connection = sqlite3.connect(path)
    for script in tables.MIGRATIONS[:RENAMED]:
        connection.executescript(script)
    connection.execute(f"PRAGMA user_version = {RENAMED}")
    connection.executemany(
        "INSERT INTO builds (project, ref, cause, created, settings)"
        " VALUES ('shop', 'refs/heads/main', 'push', 1, ?)",
        [(text,) for text in settings],
    )
    connection.commit()
    connection.close()


def test_settings_on_record_follow_the_new_name_of_webhook_secrets(tmp_path):
    given = ['{"name":"shop","secrets":["a","b"],"drain":5}', None, '{"name":"shop"}', "spoilt"]
    old_database(tmp_path / "db", given)

    store = builds.Builds(tmp_path / "db")

    found = [store.get(number).settings for number in range(1, 5)]
    store.close()
    assert found == ['{"name":"shop","drain":5,"webhook_secrets":["a","b"]}', *given[1:]]


def test_several_may_open_a_new_file_at_once(tmp_path):
    for number in range(20):
        path = tmp_path / f"db-{number}"
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            opened = list(pool.map(database.connect, [path] * 8))
        for connection in opened:
            assert connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
            connection.close()


def test_old_versions_linger_on_when_services_can(tmp_path):
    by_service = 10  # the migration that lets several services of a build linger
    connection = sqlite3.connect(tmp_path / "db")
    for script in tables.MIGRATIONS[:by_service]:
        connection.executescript(script)
    connection.execute(f"PRAGMA user_version = {by_service}")
    connection.execute(
        "INSERT INTO builds (project, ref, cause, created) VALUES ('shop', 'x', 'push', 1)"
    )
    connection.execute("INSERT INTO lingering VALUES (1, 'shop', 5.0)")
    connection.commit()
    connection.close()

    known = lingering.Lingering(tmp_path / "db")
    known.add(lingering.Version(1, "shop.web", 6.0))

    assert {(one.project, one.until) for one in known.all()} == {("shop", 5.0), ("shop.web", 6.0)}
    known.close()
