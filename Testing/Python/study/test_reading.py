"""A session of reading: random order, ratings that are never lost, resuming, bad input."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from ALSMotorCortexLib.cortex.errors import InputError
from ALSMotorCortexLib.study import reading
from ALSMotorCortexLib.study.reading import Session, find_cases
from ALSMotorCortexLib.study.readings import HEMISPHERES, ITEMS, read_readings


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twelve images to read."""
    cases = tmp_path / "cases"
    cases.mkdir()
    for n in range(12):
        (cases / f"subject{n:02d}.nrrd").touch()
    return cases


def start(folder: Path, reader: str = "Anna") -> Session:
    return Session(reader, find_cases(folder), folder.parent / "readings")


def rate_all(session: Session, answer: int = 1) -> None:
    for side in HEMISPHERES:
        for item in ITEMS:
            session.rate(side, item, answer)


# --- cases -------------------------------------------------------------------------------


def test_a_folder_gives_its_scenes_and_images_but_no_segmentations(tmp_path: Path) -> None:
    names = ["b.mrb", "a.nii.gz", "c.NRRD", "d.seg.nrrd", "e_dseg.nii.gz", "f.txt", ".g.nrrd"]
    for name in names:
        (tmp_path / name).touch()
    (tmp_path / "h.nrrd").mkdir()
    found = find_cases(tmp_path)
    assert [(case.case_id, case.path.name) for case in found] == [
        ("a", "a.nii.gz"), ("b", "b.mrb"), ("c", "c.NRRD")]  # fmt: skip
    assert [case.is_scene for case in found] == [False, True, False]


def test_a_list_gives_names_and_paths_beside_it(folder: Path, tmp_path: Path) -> None:
    table = tmp_path / "list.tsv"
    table.write_text("group\tpath\tcase_id\nALS\tcases/subject03.nrrd\tP1\nHC\tcases/x.nrrd\t\n")
    found = find_cases(table)
    assert [case.case_id for case in found] == ["P1", "x"]
    assert found[0].path.exists()


@pytest.mark.parametrize(
    ("files", "source", "part"),
    [
        (["a.txt"], "", "nothing to read"),
        (["a.nrrd", "a.nii"], "", "Two cases are called a"),
        ([], "no", "neither a folder nor a list"),
        ([], "list.tsv", "no such file"),
    ],
)
def test_cases_that_cannot_be_told_are_refused(files, source, part, tmp_path: Path) -> None:
    for name in files:
        (tmp_path / name).touch()
    with pytest.raises(InputError, match=part):
        find_cases(tmp_path / source)


def test_a_list_without_paths_is_refused(tmp_path: Path) -> None:
    table = tmp_path / "list.tsv"
    for text, part in (("case_id\na\n", "no column path"), ("path\tx\n\ty\n", "line 2")):
        table.write_text(text)
        with pytest.raises(InputError, match=part):
            find_cases(table)


# --- order -------------------------------------------------------------------------------


def test_each_reader_has_an_order_of_their_own_and_keeps_it(folder: Path) -> None:
    orders = {name: start(folder, name).order for name in ("Anna", "Ben", "Cem")}
    assert len({tuple(order) for order in orders.values()}) == 3
    assert all(sorted(order) == [f"subject{n:02d}" for n in range(12)] for order in orders.values())
    assert start(folder, "anna ").order == orders["Anna"]
    key = json.loads((folder.parent / "readings" / "reading_anna.json").read_text("utf-8"))
    assert key["order"] == orders["Anna"] and key["seed"] == reading.seed_of("Anna")


def test_cases_that_come_later_are_read_last(folder: Path) -> None:
    before = start(folder).order
    for n in range(20, 28):
        (folder / f"subject{n}.nrrd").touch()
    after = start(folder).order
    assert after[:12] == before and sorted(after[12:]) != after[12:]
    assert start(folder).order == after


def test_a_case_that_is_gone_is_left_out_and_keeps_its_ratings_and_place(folder: Path) -> None:
    table = folder.parent / "list.tsv"
    table.write_text("path\n" + "\n".join(f"cases/subject{n:02d}.nrrd" for n in range(12)))
    listed = find_cases(table)
    session = Session("Anna", listed, folder.parent / "readings")
    first, order = session.case, session.order
    rate_all(session)
    first.path.rename(folder / "away.txt")
    session = Session("Anna", listed, folder.parent / "readings")
    assert session.missing == [first.case_id]
    assert session.order == order[1:]
    session.rate("left", "thinning", 0)
    assert {one.case_id for one in read_readings(session.table)} == {first.case_id, order[1]}
    (folder / "away.txt").rename(first.path)
    session = Session("Anna", listed, folder.parent / "readings")
    assert (session.order, session.finished) == (order, 1)


def test_no_case_at_all_is_refused(folder: Path) -> None:
    cases = find_cases(folder)
    for case in cases:
        case.path.unlink()
    with pytest.raises(InputError, match="None of the 12"):
        Session("Anna", cases, folder)


# --- rating ------------------------------------------------------------------------------


def test_a_session_resumes_at_the_first_case_with_something_to_rate(folder: Path) -> None:
    session = start(folder)
    for _ in range(3):
        rate_all(session)
        session.move(1)
    session.rate("left", "thinning", 1)
    session = start(folder)
    assert (session.number, session.finished, session.count) == (4, 3, 12)
    assert dict(session.ratings("left")) == {"thinning": 1}
    assert session.left_over("left") == [item for item in ITEMS if item != "thinning"]
    for _ in range(9):
        rate_all(session)
        session.move(1)
    assert not start(folder).go_to_open() and start(folder).finished == 12


def test_a_skipped_hemisphere_is_done_and_loses_its_ratings(folder: Path) -> None:
    session = start(folder)
    session.rate("right", "thinning", 1)
    session.skip("right")
    assert session.is_skipped("right") and not session.left_over("right")
    assert not session.is_skipped("left") and not session.is_done()
    assert start(folder).is_skipped("right")
    assert session.undo() == "right" and dict(session.ratings("right")) == {"thinning": 1}


def test_undo_goes_back_to_the_case_that_was_rated(folder: Path) -> None:
    session = start(folder)
    session.rate("left", "confidence", 3)
    session.rate("left", "confidence", 3)  # the same again is no step of its own
    session.rate("left", "confidence", 5)
    session.move(1)
    session.rate("right", "thinning", 0)
    session.move(4)
    assert session.undo() == "right" and session.number == 2
    assert not session.ratings("right")
    assert session.undo() == "left" and session.number == 1
    assert dict(session.ratings("left")) == {"confidence": 3}
    assert session.undo() == "left" and session.undo() == ""
    assert read_readings(session.table) == []


def test_the_ends_of_the_list_hold(folder: Path) -> None:
    session = start(folder)
    assert not session.move(-1) and session.number == 1
    assert session.move(100) and session.number == 12 and not session.move(1)


class Reader(RuleBasedStateMachine):
    """Whatever a reader does, the table holds exactly what was rated, also after a restart."""

    @initialize(tmp=st.builds(object))
    def begin(self, tmp: object) -> None:
        import tempfile

        self.folder = tempfile.TemporaryDirectory()
        self.cases = []
        for n in range(3):
            path = Path(self.folder.name, f"c{n}.nrrd")
            path.touch()
            self.cases.append(reading.Case(f"c{n}", path))
        self.truth: dict[tuple[str, str], dict[str, int]] = {}
        self.restart()

    @rule()
    def restart(self) -> None:
        self.past: list[dict[tuple[str, str], dict[str, int]]] = []
        self.session = Session("R", self.cases, self.folder.name)

    @rule(side=st.sampled_from(HEMISPHERES), item=st.sampled_from(list(ITEMS)), data=st.data())
    def rate(self, side: str, item: str, data) -> None:
        answer = data.draw(st.sampled_from(ITEMS[item]))
        now = self.truth.get((self.session.case.case_id, side), {})
        if now.get(item) != answer:
            self.past.append(dict(self.truth))
        self.truth[self.session.case.case_id, side] = {**now, item: answer}
        self.session.rate(side, item, answer)
        self.check()

    @rule(steps=st.integers(-2, 2))
    def move(self, steps: int) -> None:
        self.session.move(steps)

    @rule()
    def undo(self) -> None:
        assert bool(self.session.undo()) == bool(self.past)
        if self.past:
            self.truth = self.past.pop()
            self.check()

    def check(self) -> None:
        found = read_readings(self.session.table)
        assert {(o.case_id, o.hemisphere): o.ratings for o in found} == self.truth

    def teardown(self) -> None:
        self.folder.cleanup()


TestReader = Reader.TestCase
TestReader.settings = settings(max_examples=30, stateful_step_count=20)


# --- bad input ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["", "  ", "?!", "a\tb"])
def test_a_reader_needs_a_name(name: str, folder: Path) -> None:
    with pytest.raises(InputError, match="name"):
        start(folder, name)


def test_two_readers_whose_files_would_be_the_same_are_told(folder: Path) -> None:
    start(folder, "A. B.").rate("left", "thinning", 1)
    with pytest.raises(InputError, match=r"belongs to the reader A\. B\."):
        start(folder, "A-B")


def test_a_damaged_key_is_told_and_kept(folder: Path) -> None:
    key = start(folder).key
    for text in ("{", "[]", '{"order": 1, "seed": 2, "reader": "Anna"}'):
        key.write_text(text)
        with pytest.raises(InputError, match="damaged"):
            start(folder)
        assert key.read_text() == text


def test_a_table_that_someone_else_changed_is_not_overwritten(folder: Path) -> None:
    one, other = start(folder), start(folder)
    one.rate("left", "thinning", 1)
    with pytest.raises(InputError, match="changed by someone else"):
        other.rate("left", "thinning", 0)
    assert read_readings(one.table)[0].ratings == {"thinning": 1}


def test_a_rating_that_could_not_be_written_is_written_with_the_next(
    folder: Path, monkeypatch
) -> None:
    session = start(folder)
    with monkeypatch.context() as broken:
        broken.setattr(reading, "replace_file", lambda *a: (_ for _ in ()).throw(InputError("x")))
        with pytest.raises(InputError):
            session.rate("left", "thinning", 1)
    session.rate("left", "confidence", 4)
    assert read_readings(session.table)[0].ratings == {"thinning": 1, "confidence": 4}


def test_a_case_that_cannot_be_read_is_kept_with_the_key_until_it_can(folder: Path) -> None:
    session = start(folder)
    name = session.case.case_id
    session.cannot_read("its file is cut short")
    assert json.loads(session.key.read_text("utf-8"))["unreadable"] == {
        name: "its file is cut short"
    }
    session.cannot_read("")
    assert json.loads(session.key.read_text("utf-8"))["unreadable"] == {}
