from build_hook import project, shown_settings


def shop(**of):
    return project.Project(name="shop", repository="https://git.example/shop.git", **of)


SECRET = {"environment": {"PASSWORD": "hunter2"}, "build": {"args": {"TOKEN": "hunter3"}}}


def test_values_of_variables_are_hidden_their_names_are_not():
    shown = shown_settings.shown(shop(watch=3, **SECRET))

    assert shown["environment"] == {"PASSWORD": "***"}
    assert shown["build"]["args"] == {"TOKEN": "***"}
    assert shown["watch"] == 3
    assert "hunter" not in str(shown)


def test_changes_are_named_with_both_values():
    before = shop(watch=3, health={"path": "/"})
    after = shop(watch=5, health={"path": "/"}, command=["run"])

    found = {change.name: (change.before, change.after) for change in
             shown_settings.changes(before, after)}  # fmt: skip

    assert found == {"watch": ("3.0", "5.0"), "command": ("-", '["run"]')}


def test_changed_variable_is_named_and_not_told():
    before, after = shop(**SECRET), shop(environment={"PASSWORD": "other"})

    found = shown_settings.changes(before, after)

    assert {change.name for change in found} == {"environment.PASSWORD", "build.args.TOKEN"}
    assert "hunter" not in str(found)
    assert "other" not in str(found)


def test_nothing_differs():
    assert shown_settings.changes(shop(**SECRET), shop(**SECRET)) == ()
