"""Confounds come from files, arrays and data frames, and what is amiss is reported."""

import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from seedmap.confounds import ConfoundTable, read_confounds
from seedmap.errors import ConfoundsError, MissingFile, SeedmapWarning
from seedmap.temporal import Cleaning, cleaning_operator

VALUES = np.random.default_rng(0).standard_normal((6, 3)).round(4)
NAMES = ("trans_x", "trans_y", "csf")


def write(folder, name, *, values=VALUES, header=NAMES, mark="\t", end="\n"):
    lines = [mark.join(header)] if header else []
    lines += [mark.join(f"{value:.10g}" for value in row) for row in values]
    path = folder / name
    path.write_bytes((end.join(lines) + end).encode())
    return path


def table(values=VALUES, names=NAMES):
    return ConfoundTable(np.array(values, dtype=float), names, "table.tsv")


class TestFiles:
    @pytest.mark.parametrize(
        ("name", "mark"),
        [
            ("c.tsv", "\t"),
            ("c.csv", ","),
            ("c.csv", ", "),
            ("c.csv", ";"),
            ("c.txt", "  "),
            ("c.1D", " "),
        ],
    )
    @pytest.mark.parametrize("header", [NAMES, ()])
    @pytest.mark.parametrize("end", ["\n", "\r\n"])
    def test_every_kind_of_table_is_read(self, tmp_path, name, mark, header, end):
        path = write(tmp_path, name, header=header, mark=mark, end=end)
        for given_path in (path, str(path)):
            found = read_confounds(given_path)
            np.testing.assert_allclose(found.values, VALUES)
            assert found.names == (header or ("0", "1", "2"))
            assert found.source == str(path)

    @pytest.mark.parametrize("header", [("only",), ()])
    def test_one_column_is_a_table(self, tmp_path, header):
        found = read_confounds(write(tmp_path, "c.tsv", values=VALUES[:, :1], header=header))
        np.testing.assert_allclose(found.values, VALUES[:, :1])
        assert found.names == (header or ("0",))

    @pytest.mark.parametrize("missing", ["n/a", "NaN", "nan", "NA", ""])
    def test_missing_values_are_nan(self, tmp_path, missing):
        path = tmp_path / "c.tsv"
        path.write_text(f"a\tb\n{missing}\t1\n2\t3\n")
        found = read_confounds(path)
        assert np.array_equal(found.values, [[np.nan, 1], [2, 3]], equal_nan=True)

    def test_marks_of_order_quotes_and_empty_lines_do_not_matter(self, tmp_path):
        path = tmp_path / "c.csv"
        path.write_bytes(b'\xef\xbb\xbf"a","b"\n\n1,2\n3,4\n\n')
        found = read_confounds(path)
        assert found.names == ("a", "b")
        assert np.array_equal(found.values, [[1, 2], [3, 4]])

    def test_a_missing_value_in_a_table_without_header_is_no_header(self, tmp_path):
        path = tmp_path / "c.tsv"
        path.write_text("n/a\t1\n2\t3\n")
        assert read_confounds(path).names == ("0", "1")

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("", "the table of confounds is empty"),
            ("\n  \n", "the table of confounds is empty"),
            ("a\tb\n", "has a header and no rows"),
            ("a\tb\n1\t2\n3\n", "row 2 has 1 cells and the first line 2"),
            ("a\tb\n1\t2\n3\tfour\n", "column 'b' holds 'four' in row 2; numbers"),
            ("1\t2\n3\tfour\n", "column '1' holds 'four' in row 1|row 2"),
        ],
    )
    def test_a_table_that_is_none_is_refused(self, tmp_path, text, words):
        path = tmp_path / "c.tsv"
        path.write_text(text)
        with pytest.raises(ConfoundsError, match=rf"c.tsv: .*({words})") as caught:
            read_confounds(path)
        assert "\n" not in str(caught.value)

    def test_bytes_that_are_no_text_are_refused(self, tmp_path):
        path = tmp_path / "c.tsv"
        path.write_bytes(b"\x1f\x8b\xff\xfe")
        with pytest.raises(ConfoundsError, match=r"c.tsv: not a table that can be read"):
            read_confounds(path)

    def test_a_file_that_is_not_there_is_reported(self, tmp_path):
        with pytest.raises(MissingFile, match=r"no.tsv: this table of confounds is not there"):
            read_confounds(tmp_path / "no.tsv")
        with pytest.raises(MissingFile, match="is a folder; check the path"):
            read_confounds(tmp_path)

    @given(arrays(np.float64, (4, 2), elements=st.floats(-1e300, 1e300)))
    def test_numbers_come_back_as_they_were(self, tmp_path_factory, values):
        path = tmp_path_factory.mktemp("tables") / "c.tsv"
        path.write_text("".join(f"{a!r}\t{b!r}\n" for a, b in values.tolist()))
        assert np.array_equal(read_confounds(path).values, values)


class TestObjects:
    def test_nothing_is_nothing(self):
        assert read_confounds(None) is None
        assert read_confounds([]) is None
        assert read_confounds([None, None]) is None

    @pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int16, bool])
    def test_an_array_is_copied(self, dtype):
        values = (np.arange(12).reshape(6, 2) % 5).astype(dtype)
        values.setflags(write=False)
        found = read_confounds(values)
        assert found.values.dtype == np.float64
        assert np.array_equal(found.values, values)
        assert not np.shares_memory(found.values, values)
        assert found.names == ("0", "1")
        assert found.source == "confounds (array)"

    def test_a_vector_is_a_column(self):
        assert read_confounds(np.arange(5.0)).values.shape == (5, 1)
        assert read_confounds([1.0, 2.0, 3.0]).values.shape == (3, 1)

    def test_a_list_of_rows_of_numbers_is_side_by_side(self):
        assert read_confounds([np.arange(5.0), np.arange(5.0)]).values.shape == (5, 2)

    def test_a_data_frame_keeps_its_names(self):
        frame = pd.DataFrame(VALUES, columns=NAMES)
        found = read_confounds(frame)
        assert np.array_equal(found.values, VALUES)
        assert found.names == NAMES
        assert read_confounds(pd.DataFrame({"a": [1, 2], 7: [True, False]})).names == ("a", "7")
        assert read_confounds(pd.DataFrame(index=range(4))).values.shape == (4, 0)

    def test_a_data_frame_with_text_is_refused(self):
        with pytest.raises(ConfoundsError, match="column 'b' holds text"):
            read_confounds(pd.DataFrame({"a": [1.0, 2], "b": ["x", "y"]}))

    def test_a_table_passes_through(self):
        given_table = table()
        assert read_confounds(given_table) is given_table

    def test_a_list_is_put_side_by_side(self, tmp_path):
        path = write(tmp_path, "c.tsv")
        parts = [path, np.arange(6.0), None, pd.DataFrame({"hr": np.arange(6)})]
        for form in (parts, tuple(parts)):
            found = read_confounds(form)
            assert np.array_equal(found.values[:, :3], VALUES)
            assert np.array_equal(found.values[:, 3:], np.arange(6.0)[:, None].repeat(2, axis=1))
            assert found.names == (*NAMES, "0", "hr")
            assert found.source == f"{path}, confounds (array), confounds (data frame)"

    def test_a_list_whose_parts_do_not_fit_is_refused(self):
        with pytest.raises(
            ConfoundsError, match=r"different numbers of rows .*array\): 5.*array\): 6"
        ):
            read_confounds([np.zeros(5), np.zeros(6)])

    @pytest.mark.parametrize(
        ("confounds", "words"),
        [
            (np.zeros((2, 3, 4)), r"shape \(2, 3, 4\); an array of shape \(frames, confounds\)"),
            (np.zeros((0, 3)), r"shape \(0, 3\)"),
            (3.0, r"shape \(\)"),
            (np.array(["a", "b"]), "are not numbers"),
            ({"a": 1}, r"the confounds \(dict\) are not numbers"),
        ],
    )
    def test_what_is_no_array_of_numbers_is_refused(self, confounds, words):
        with pytest.raises(ConfoundsError, match=words):
            read_confounds(confounds)


class TestChoosing:
    def test_columns_are_chosen_by_name_and_pattern(self):
        found = table().choose(["csf", "trans_*"])
        assert found.names == ("csf", "trans_x", "trans_y")
        assert np.array_equal(found.values, VALUES[:, [2, 0, 1]])
        assert found.source == "table.tsv"

    def test_no_column_is_taken_twice(self):
        assert table().choose(["trans_x", "trans_*", "*"]).names == NAMES

    def test_a_pattern_that_matches_nothing_is_reported(self):
        with pytest.raises(
            ConfoundsError, match=r"no column is called 'rot_\*'; there are 3: trans_x, "
        ):
            table().choose(["csf", "rot_*"])


class TestFrames:
    ALL = np.ones(6, dtype=bool)

    def test_a_whole_table_is_taken_as_it_is(self):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found = table().for_frames(self.ALL)
        assert np.array_equal(found.values, VALUES)
        with pytest.raises(ValueError, match="read-only"):
            found.values[0] = 0

    @pytest.mark.parametrize("rows", [5, 7])
    def test_another_number_of_rows_is_refused(self, rows):
        with pytest.raises(
            ConfoundsError, match=rf"table.tsv: 6 rows of confounds for {rows} frames"
        ):
            table().for_frames(np.ones(rows, dtype=bool))

    @pytest.mark.parametrize("hole", [np.nan, np.inf])
    def test_a_missing_first_row_is_filled_and_said(self, hole):
        values = VALUES.copy()
        values[0, 1:] = hole
        values.setflags(write=False)
        with pytest.warns(
            SeedmapWarning, match=r"no value in the first row of trans_y, csf; the second"
        ):
            found = ConfoundTable(values, NAMES, "table.tsv").for_frames(self.ALL)
        assert np.array_equal(found.values[0], [VALUES[0, 0], VALUES[1, 1], VALUES[1, 2]])
        assert np.array_equal(found.values[1:], VALUES[1:])

    def test_many_filled_columns_are_counted(self):
        values = np.ones((6, 9))
        values[0, :7] = np.nan
        with pytest.warns(SeedmapWarning, match=r"first row of 0, 1, 2, 3 and 3 more; the second"):
            table(values, tuple("012345678")).for_frames(self.ALL)

    def test_a_hole_elsewhere_is_refused(self):
        values = VALUES.copy()
        values[3, 1] = values[4, 2] = np.nan
        with pytest.raises(
            ConfoundsError, match=r"'trans_y' has no finite value in row 4 of 6 \(2 such"
        ):
            table(values).for_frames(self.ALL)

    def test_two_holes_at_the_start_are_refused(self):
        values = VALUES.copy()
        values[:2, 1] = np.nan
        with pytest.raises(ConfoundsError, match="'trans_y' has no finite value in row 1 of 6"):
            table(values).for_frames(self.ALL)

    def test_holes_in_censored_frames_do_not_matter(self):
        values, keep = VALUES.copy(), self.ALL.copy()
        values[[0, 3]] = np.nan
        keep[[0, 3]] = False
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found = table(values).for_frames(keep)
        assert np.array_equal(found.values[keep], VALUES[keep])


def test_a_real_table_is_read(data_folder):
    folder = data_folder / "volume"
    path = folder / "sub-01_task-rest_desc-confounds_timeseries.tsv"
    found = read_confounds(path).choose(["csf", "white_matter", "cosine*", "dvars"])
    assert found.values.shape == (260, 9)
    with pytest.warns(SeedmapWarning, match="no value in the first row of dvars"):
        assert np.isfinite(found.for_frames(np.ones(260, dtype=bool)).values).all()


class TestNames:
    """Columns are taken by place: what they are called may stand twice."""

    @given(names=st.lists(st.sampled_from(["0", "1", "csf", "a[1]"]), min_size=1, max_size=6))
    def test_every_column_of_a_chosen_name_is_taken(self, names):
        values = np.arange(4.0 * len(names)).reshape(4, -1)
        for pattern in ("*", *names):
            found = table(values, tuple(names)).choose([pattern])
            places = [n for n, name in enumerate(names) if pattern in ("*", name)]
            np.testing.assert_array_equal(found.values, values[:, places])
            assert found.names == tuple(names[place] for place in places)

    @given(order=st.permutations(range(5)))
    def test_the_order_of_columns_does_not_change_what_is_removed(self, order):
        rng = np.random.default_rng(0)
        values, series = rng.standard_normal((40, 5)), rng.standard_normal((40, 3))
        left = []
        for columns in (list(range(5)), order):
            chosen = table(values[:, columns], tuple(f"c{n}" for n in columns)).choose(["c[0-3]"])
            operator = cleaning_operator(Cleaning(filter=None), np.ones(40, bool), 2, chosen.values)
            left.append(operator.residuals(series))
        np.testing.assert_allclose(*left, atol=1e-10)

    def test_two_tables_without_header_stay_two(self, tmp_path):
        paths = [
            write(tmp_path, f"{n}.txt", values=VALUES[:, n:], header=(), mark=" ") for n in (0, 1)
        ]
        found = read_confounds(paths).choose(["*"])
        np.testing.assert_allclose(found.values, np.hstack([VALUES, VALUES[:, 1:]]))

    def test_a_data_frame_may_have_two_columns_of_one_name(self):
        found = read_confounds(pd.DataFrame(VALUES, columns=["csf", "csf", "wm"]))
        np.testing.assert_array_equal(found.values, VALUES)

    def test_one_column_of_a_name_is_not_one_of_two(self):
        twice = table(VALUES, ("csf", "wm", "csf"))
        np.testing.assert_array_equal(twice.column("wm"), VALUES[:, 1])
        with pytest.raises(ConfoundsError, match=r"columns 1 and 3 are all called 'csf'"):
            twice.column("csf")
        with pytest.raises(ConfoundsError, match="no column is called 'x'"):
            twice.column("x")


@pytest.mark.parametrize("header", [NAMES, ()])
def test_lines_that_begin_with_a_hash_are_comments(tmp_path, header):
    path = write(tmp_path, "c.1D", header=header, mark=" ")
    path.write_text("# 3dDeconvolve -x\n#  made by afni, on a day\n" + path.read_text() + "# end\n")
    found = read_confounds(path)
    np.testing.assert_allclose(found.values, VALUES)
    assert found.names == (header or ("0", "1", "2"))


def test_a_header_of_numbers_is_named(tmp_path):
    path = tmp_path / "c.tsv"
    pd.DataFrame(VALUES).to_csv(path, sep="\t", index=False)
    with pytest.raises(ConfoundsError, match="looks like a header of numbers"):
        read_confounds(path).for_frames(np.ones(len(VALUES), dtype=bool))


@pytest.mark.parametrize("value", [1e308, -1e150, 2e100])
def test_a_number_too_large_to_be_squared_is_refused(value):
    """Its column would be regressed out wrongly, or not at all, in silence."""
    values = np.random.default_rng(0).normal(size=(20, 3))
    values[7, 1] = value
    with pytest.raises(ConfoundsError, match=r"column '1' holds .*e\+\d+, .* in row 8 of 20"):
        read_confounds(values).for_frames(np.ones(20, dtype=bool))
    read_confounds(values).for_frames(np.arange(20) != 7)
