from benchmarks import table


def test_spread_is_the_median_with_the_range():
    assert table.spread([3, 1, 2]) == "2 [1-3]"
    assert table.spread([1.256, 1.0, 2.5], 2) == "1.26 [1.00-2.50]"
    assert table.spread([]) == "-"


def test_table_prints_brackets_as_they_are(capsys):
    table.show("median [min-max]", ("", "failed"), [("ours", table.spread([0, 0]))])

    printed = capsys.readouterr().out
    assert "median [min-max]" in printed
    assert "0 [0-0]" in printed
