"""What a project keeps on a named volume outlives deploys and roll-backs."""

from tests.functional import composed

SERVE = """\
#!/bin/sh
read -r version < /www/index.html
echo "$version" >> /data/log
cp /data/log /www/log.txt
exec httpd -f -p 8000 -h /www
"""


def test_data_of_a_project_outlives_deploy_and_roll_back(host):
    volume = f"keeps-{host.settings.instance}"
    web = host.add("keeps", volumes=[f"{volume}:/data"], files={"serve.sh": SERVE})
    try:
        web.live()
        web.live()
        assert web.get("/log.txt").split() == ["keeps-1", "keeps-2"]

        host.run("rollback", "keeps", "--wait")

        assert web.get("/log.txt").split() == ["keeps-1", "keeps-2", "keeps-1"]
    finally:
        host.unregister("keeps")
        host.until(lambda: not web.boxes(), "its end", 30)
        host.engine.api.remove_volume(volume)  # it is there still: nobody else removes data


def test_data_of_a_service_outlives_deploy_and_roll_back(host):
    shop = composed.Shop(host, "holds-data")
    shop.live()
    shop.live(**{"db/serve__sh": f"# another\n{composed.DB}"})
    assert shop.of.get() == "web-1/api-1/starts-2"

    host.run("rollback", "holds-data", "--wait")

    assert shop.of.get() == "web-1/api-1/starts-3"
