"""Who is used: matched by label, left out with a reason; which of several maps is taken."""

import pandas as pd
import pytest

from seedmap.errors import MissingFile, OptionError
from seedmap.group.people import Choice, Member, choose_people, find_members, listed_members
from seedmap.group.tables import read_people

STEM = "task-rest_space-S_{more}seed-PCC_stat-{stat}_desc-36P_statmap.nii.gz"


def write(root, label, *, more="", session="", stats=("fisherz", "se")):
    folder = root / f"sub-{label}" / session / "func"
    folder.mkdir(parents=True, exist_ok=True)
    first = f"sub-{label}_{session + '_' if session else ''}"
    for stat in stats:
        (folder / (first + STEM.format(more=more, stat=stat))).write_bytes(b"")


def table(tmp_path, text, name="participants.tsv"):
    path = tmp_path / name
    path.write_text(text)
    return path


def test_rows_are_matched_by_label_with_and_without_sub(tmp_path):
    people = read_people(table(tmp_path, "age\tparticipant_id\n30\tsub-b\n40\ta\n"))
    assert people.cells("age", ["a", "b"]) == ["40", "30"]
    frame = pd.DataFrame({"participant_id": ["sub-b", "a"], "age": [30, 40.5]})
    assert read_people(frame).cells("age", ["a", "b"]) == ["40.5", "30"]


def test_who_is_in_only_one_of_the_two_is_named(tmp_path):
    people = read_people(table(tmp_path, "participant_id,age\na,1\nb,n/a\nc,3\n", "p.csv"))
    members = [Member(label, ()) for label in "abd"]
    used = choose_people(members, people, ["age"], {"e": "failed: no mask"})
    assert used.labels == ("a",)
    assert used.dropped == {
        "b": "has no value of age",
        "c": "is in the table but has no map",
        "d": "has a map but no row in the table",
        "e": "failed: no mask",
    }


def test_what_the_first_level_recorded_needs_no_column():
    members = [Member("a", (), {"mean_fd": 0.1}), Member("b", ())]
    assert choose_people(members, None, ["mean_fd"], {}).dropped == {"b": "has no value of mean_fd"}


def test_maps_are_found_with_their_errors(tmp_path):
    write(tmp_path, "01")
    write(tmp_path, "02", stats=("fisherz",))
    members, dropped = find_members(tmp_path, Choice("PCC"))
    assert [(one.label, one.pieces[0].se is None) for one in members] == [
        ("01", False),
        ("02", True),
    ]
    assert dropped == {}


def test_combined_runs_go_before_single_ones(tmp_path):
    for more in ("run-1_", "run-2_", ""):
        write(tmp_path, "01", more=more)
    (one,), _ = find_members(tmp_path, Choice("PCC"))
    assert "run-" not in one.pieces[0].effect.name


def test_runs_do_not_count_as_people(tmp_path):
    for more in ("run-1_", "run-2_"):
        write(tmp_path, "01", more=more)
    with pytest.raises(
        OptionError, match=r"sub-01 has 2 maps that fit .run-1, run-2.*combine runs first"
    ):
        find_members(tmp_path, Choice("PCC"))
    (one,), _ = find_members(tmp_path, Choice("PCC", entities={"run": "2"}))
    assert "run-2" in one.pieces[0].effect.name


def test_sessions_are_weighted_within_each_person(tmp_path):
    for session in ("ses-1", "ses-2"):
        write(tmp_path, "01", session=session)
    write(tmp_path, "02", session="ses-1")
    members, dropped = find_members(tmp_path, Choice("PCC", within="ses-2 - ses-1"))
    assert [(piece.weight, piece.effect.name[7:12]) for piece in members[0].pieces] == [
        (1.0, "ses-2"),
        (-1.0, "ses-1"),
    ]
    assert dropped == {"02": "has no map of ses-2"}


@pytest.mark.parametrize(
    ("within", "said"),
    [
        ("ses-2 + ses-1", "must sum to 0"),
        ("ses2 - ses1", "not understood"),
        ("ses-2 - 2", "not understood"),
    ],
)
def test_weights_of_sessions_are_checked(tmp_path, within, said):
    write(tmp_path, "01")
    with pytest.raises(OptionError, match=said):
        find_members(tmp_path, Choice("PCC", within=within))


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        (Choice("PC"), "no maps of seed 'PC'; did you mean 'PCC'"),
        (Choice("PCC", "24P"), "no maps of strategy '24P'; there are 36P"),
    ],
)
def test_what_is_not_there_is_said(tmp_path, choice, said):
    write(tmp_path, "01")
    with pytest.raises(MissingFile, match=said):
        find_members(tmp_path, choice)


def test_an_empty_folder_and_no_folder(tmp_path):
    with pytest.raises(MissingFile, match="run seedmap bids first"):
        find_members(tmp_path, Choice("PCC"))
    with pytest.raises(MissingFile, match="is not there"):
        find_members(tmp_path / "none", Choice("PCC"))


def test_a_table_of_maps_is_relative_to_itself(tmp_path):
    (tmp_path / "a.nii").write_bytes(b"")
    path = table(tmp_path, "participant_id\teffect\tse\nsub-a\ta.nii\tn/a\n")
    (one,) = listed_members(path)
    assert (one.label, one.pieces[0].effect, one.pieces[0].se) == ("a", tmp_path / "a.nii", None)


@pytest.mark.parametrize(
    ("text", "error", "said"),
    [
        ("participant_id\nsub-a\n", OptionError, "no column effect"),
        (
            "participant_id\teffect\nsub-a\tb.nii\n",
            MissingFile,
            "b.nii: this participant's map is not there",
        ),
        ("participant_id\teffect\nsub-a\tn/a\n", OptionError, "sub-a has no map"),
        ("participant_id\teffect\na\ta.nii\nsub-a\ta.nii\n", OptionError, "sub-a has two maps"),
        ("participant_id\teffect\na\n", OptionError, "row 2 has 1 cells for 2 columns"),
        ("\n", OptionError, "the table is empty"),
        ("a\ta\n", OptionError, "several columns are called 'a'"),
    ],
)
def test_tables_of_maps_that_are_none(tmp_path, text, error, said):
    (tmp_path / "a.nii").write_bytes(b"")
    with pytest.raises(error, match=said):
        listed_members(table(tmp_path, text))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("subject\tage\na\t1\n", "no column participant_id"),
        ("participant_id\tage\na\t1\nsub-a\t2\n", "sub-a has two rows"),
    ],
)
def test_tables_of_people_that_are_none(tmp_path, text, said):
    with pytest.raises(OptionError, match=said):
        read_people(table(tmp_path, text))


def test_a_column_that_is_not_there_is_asked_back(tmp_path):
    people = read_people(table(tmp_path, "participant_id\tgender\na\tx\n"))
    with pytest.raises(OptionError, match="no column is called 'gendr'; did you mean 'gender'"):
        choose_people([Member("a", ())], people, ["gendr"], {})


def test_nobody_left_is_refused(tmp_path):
    people = read_people(table(tmp_path, "participant_id\tage\nb\t1\n"))
    with pytest.raises(OptionError, match="nobody is left to test: sub-a has a map but no row"):
        choose_people([Member("a", ())], people, ["age"], {})
