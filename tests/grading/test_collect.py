"""What learning platforms give out, given to those on the roster, and to nobody else."""

import csv
import datetime
import io
import os
import re
import time
import unicodedata
import zipfile

import nbformat
import pytest

from tests.disks import nobody
from tests.grading import small_course as small
from tests.grading.small_course import NAME
from tests.places import ROOT
from tools.grading import collect, export, feedback, roster, scores, submissions, zips
from tools.grading import course as courses

ROSTER = """id,name,email
bmueller,Berta Müller,b.mueller@example.edu
ahofer,Anton Hofer,anton.hofer@example.edu
czhang,Zhang Chen,zc77@example.edu
dan1,Dan de Vries,dan@example.edu
"""


@pytest.fixture
def course(tmp_path):
    opened = small.make(tmp_path)
    (tmp_path / "students.csv").write_text(ROSTER, "utf-8")
    return opened


def notebook(course, mark):
    one = small.answered(course, small.SOLUTION)
    one.metadata["mark"] = mark
    return nbformat.writes(one).encode()


def zipped(files, when=(2026, 3, 1, 12, 30, 0)):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name, when)
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)
    return data.getvalue()


def put(course, path, data):
    file = course.root / "downloaded" / NAME / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)


def a_tenth_a_day(course):
    """The guide's own example of a hook for late work."""
    guide = (ROOT / "book" / "grading.md").read_text("utf-8")
    (example,) = re.findall(r"```python\n# late\.py.*?\n(.*?)```", guide, re.S)
    (course.root / "late.py").write_text(example)
    course.config.AssignLatePenalties.plugin_class = "late.ADay"


def handed_in(course):
    """{student: mark of the notebook that is theirs}"""
    found = {}
    for path in sorted((course.root / "submitted").glob(f"*/{NAME}/{NAME}.ipynb")):
        found[path.parts[-3]] = nbformat.read(path, 4).metadata["mark"]
    return found


FORMS = {
    "Moodle": [
        ("Berta Müller_48123_assignsubmission_file/01_small.ipynb", "bmueller"),
        ("Hofer Anton_48124_assignsubmission_file_/my work.ipynb", "ahofer"),
        ("Dan de Vries_48125_assignsubmission_file/01_small/01_small.ipynb", "dan1"),
    ],
    "Canvas": [
        ("muellerberta_55119_9980_01_small.ipynb", None),  # Canvas would write mullerberta
        ("antonhofer_55120_9981_01_small-2.ipynb", "ahofer"),
        ("chenzhang_LATE_55121_9982_01_small.ipynb", "czhang"),
        ("devriesdan_55122_9983_01_small.ipynb", "dan1"),
    ],
    "by id or email": [
        ("bmueller/01_small.ipynb", "bmueller"),
        ("anton.hofer@example.edu/01_small.ipynb", "ahofer"),
        ("zc77.ipynb", "czhang"),
    ],
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("packed", [False, True])
def test_files_as_a_platform_gives_them_out(course, form, packed):
    files = {path: notebook(course, path) for path, _ in FORMS[form]}
    if packed:
        put(course, f"{form} download.zip", zipped(files))
    else:
        for path, data in files.items():
            put(course, path, data)
    said = collect.collect(course, NAME).said
    assert handed_in(course) == {who: path for path, who in FORMS[form] if who}
    lost = [path for path, who in FORMS[form] if not who]
    assert len(said) == len(lost) and all(any(one in line for line in said) for one in lost)


def test_gradescope_says_who_is_who(course):
    listed = (
        "---\nsubmission_77:\n  :submitters:\n  - :name: Berta Müller\n    :sid: '123'\n"
        "    :email: b.mueller@example.edu\n  :created_at: 2026-03-01 08:30:05.522373000 Z\n"
        "  :history:\n  - :id: 76\n    :created_at: 2026-02-01 08:30:05.522373000 Z\n"
        "submission_78:\n  :submitters:\n  - :name: Zhang Chen\n    :email: zc77@example.edu\n"
        "  :created_at: '2026-03-01T08:30:05+09:00'\n"
    )
    files = {
        "assignment_1_export/submission_metadata.yml": listed.encode(),
        "assignment_1_export/submission_77/01_small.ipynb": notebook(course, "a"),
        "assignment_1_export/submission_78/01_small.ipynb": notebook(course, "b"),
        "assignment_1_export/submission_79/01_small.ipynb": notebook(course, "c"),
    }
    put(course, "export.zip", zipped(files))
    (said,) = collect.collect(course, NAME).said
    assert handed_in(course) == {"bmueller": "a", "czhang": "b"} and "submission_79" in said
    for student, when in (("bmueller", "2026-03-01 08:30"), ("czhang", "2026-02-28 23:30")):
        kept = course.root / "submitted" / student / NAME / "timestamp.txt"
        assert kept.read_text().startswith(when)  # as Gradescope has kept it, in UTC


def test_a_list_that_a_student_hands_in_says_nothing(course):
    """Neither whose the work of others is nor when it came."""
    forged = b"submission_77:\n  :email: anton.hofer@example.edu\n"
    forged += b"  :created_at: 2020-01-01 00:00:00 Z\n"
    listed = forged.replace(b"anton.hofer", b"b.mueller").replace(b"2020", b"2026")
    inner = {
        "submission_metadata.yml": forged,
        "submission_77/01_small.ipynb": notebook(course, "b"),
    }
    for folder in ("submission_77", "Berta Müller_1_assignsubmission_file"):
        put(course, "submission_metadata.yml", listed)
        put(course, f"{folder}/homework.zip", zipped(inner))
        collect.collect(course, NAME)
        assert handed_in(course) == {"bmueller": "b"}
        kept = course.root / "submitted" / "bmueller" / NAME / "timestamp.txt"
        assert "2020" not in kept.read_text()


def test_zips_in_zips_with_all_that_lies_in_them(course):
    inner = {f"01_small/.venv/lib/{i}.py": b"x" for i in range(900)}
    inner |= {"01_small/01_small.ipynb": notebook(course, "right"), "__MACOSX/x.ipynb": b""}
    inner["01_small/.ipynb_checkpoints/01_small-checkpoint.ipynb"] = notebook(course, "old")
    outer = {"Anton Hofer_1_assignsubmission_file/homework.ZIP": zipped(inner)}
    put(course, "all.zip", zipped(outer))
    assert collect.collect(course, NAME).said == []
    assert handed_in(course) == {"ahofer": "right"}
    path = course.root / "submitted" / "dan1" / f"{NAME}.zip"
    path.parent.mkdir(parents=True)
    path.write_bytes(zipped(inner))
    assert submissions.read(course, "dan1", NAME).data == notebook(course, "right")


def test_of_several_the_last_counts_and_times_are_kept(course):
    who = "Anton Hofer_1_assignsubmission_file"
    put(course, "1.zip", zipped({f"{who}/01_small.ipynb": notebook(course, "first")}))
    later = (2026, 3, 2, 8, 0, 0)
    put(course, "2.zip", zipped({f"{who}/01_small (1).ipynb": notebook(course, "second")}, later))
    (said,) = collect.collect(course, NAME).said
    assert "ahofer has handed in 2 notebooks" in said
    assert handed_in(course) == {"ahofer": "second"}
    stamp = course.root / "submitted" / "ahofer" / NAME / "timestamp.txt"
    assert stamp.read_text().startswith("2026-03-0") and stamp.read_text().endswith("UTC\n")
    before = stamp.stat().st_mtime_ns
    collect.collect(course, NAME)
    assert stamp.stat().st_mtime_ns == before


@pytest.mark.parametrize("names", [("a.zip", "b.zip"), ("b.zip", "a.zip")])
def test_what_is_handed_in_again_counts_under_whatever_name_it_is_downloaded(course, names):
    path = "Berta Müller_48123_assignsubmission_file/01_small.ipynb"
    for day, (name, mark) in enumerate(
        zip((*names, "c.zip"), ("old", "new", "new"), strict=True), 1
    ):
        put(course, name, zipped({path: notebook(course, mark)}, (2026, 3, day, 12, 0, 0)))
    (told,) = collect.collect(course, NAME).said
    assert handed_in(course) == {"bmueller": "new"}
    assert "has handed in 2 notebooks; the last is" in told
    stamp = course.root / "submitted" / "bmueller" / NAME / "timestamp.txt"
    assert stamp.read_text().startswith("2026-03-02")


def test_a_later_notebook_that_is_called_otherwise_is_told_of(course):
    folder = "Berta Müller_48123_assignsubmission_file"
    put(course, "1.zip", zipped({f"{folder}/01_small.ipynb": notebook(course, "named")}))
    later = zipped({f"{folder}/bmueller.ipynb": notebook(course, "later")}, (2026, 3, 9, 9, 0, 0))
    put(course, "2.zip", later)
    (told,) = collect.collect(course, NAME).said
    assert handed_in(course) == {"bmueller": "named"}
    assert "2 notebooks; the last that is called 01_small is" in told


def test_what_came_by_mail_counts_if_it_is_the_last(course):
    path = "Berta Müller_48123_assignsubmission_file/01_small.ipynb"
    put(course, "all.zip", zipped({path: notebook(course, "first")}))
    put(course, "bmueller.ipynb", notebook(course, "by mail"))
    (told,) = collect.collect(course, NAME).said
    assert handed_in(course) == {"bmueller": "by mail"}
    assert "has handed in 2 notebooks; the last is bmueller.ipynb" in told


def test_nothing_is_guessed(course):
    with (course.root / "students.csv").open("a", encoding="utf-8") as file:
        file.write("berta2,Berta Muller,other@example.edu\n")
    put(course, "Berta Müller_1_assignsubmission_file/01_small.ipynb", notebook(course, "?"))
    put(course, "Nobody_2_assignsubmission_file/01_small.ipynb", notebook(course, "?"))
    os.symlink("/etc/passwd", course.root / "downloaded" / NAME / "ahofer.ipynb")
    said = " ".join(collect.collect(course, NAME).said)
    assert handed_in(course) == {}
    assert "fits bmueller, berta2" in said and "fits nobody on the roster" in said
    assert "ahofer.ipynb has" in said or "a link" in said


def test_of_two_by_one_name_it_is_said_what_to_do_and_neither_has_handed_in_nothing(course):
    """And what is done as it says, is all right, and has Moodle's folder for the feedback."""
    with (course.root / "students.csv").open("a", encoding="utf-8") as file:
        file.write("anna1,Anna Schmidt,a1@example.edu\nanna2,Anna Schmidt,a2@example.edu\n")
    mine = "Anna Schmidt_{}_assignsubmission_file/01_small.ipynb"
    files = {
        mine.format(7): notebook(course, "7"),
        "Anna Schmidt_8_assignsubmission_file/a.pdf": b"",
    }
    files["Anna Schmidt_7_assignsubmission_file/photo.png"] = b""  # it goes with the notebook
    put(course, "Moodle 1.zip", zipped(files))
    found = collect.collect(course, NAME)
    todo = "fits anna1, anna2: unpack Moodle 1.zip and take the zip away; then put the student's id"
    assert [todo in one for one in found.said] == [True, True] and found.said == found.nobodys
    put(course, "ahofer.ipynb", notebook(course, "a"))
    small.run(course)
    done = export.export(course, NAME)
    states = {student: status for student, _, status, _ in done.open}
    assert states["anna1"] == states["anna2"] == "unclear" and done.nobodys == found.nobodys
    assert not {"anna1", "anna2"} & {*done.missing[NAME]}
    report = (course.root / "reports" / f"{NAME}.md").read_text("utf-8")
    assert "| anna2 | – | | | may be theirs or another's, see below |" in report
    (course.root / "downloaded" / NAME / "Moodle 1.zip").unlink()
    for path, data in files.items():
        which = "anna1" if "_7_" in path else "anna2"
        put(course, path.replace("Anna Schmidt", which), data)
    (told,) = collect.collect(course, NAME).said
    assert told.startswith("anna2 has no notebook") and handed_in(course)["anna1"] == "7"
    assert feedback.folders_of(course, NAME) == {"anna1": "anna1_7_assignsubmission_file"}


def test_of_two_by_one_name_canvas_says_which_by_its_number(course):
    roster = "id,name,ID\nanna1,Anna Schmidt,501\nanna2,Anna Schmidt,502\n"
    (course.root / "students.csv").write_text(roster, "utf-8")
    put(course, "schmidtanna_502_9980_01_small.ipynb", notebook(course, "502"))
    put(course, "schmidtanna_LATE_501_9981_01_small.ipynb", notebook(course, "501"))
    put(course, "schmidtanna_503_9982_01_small.ipynb", notebook(course, "503"))
    (told,) = collect.collect(course, NAME).said
    assert "_503_" in told and "fits anna1, anna2: put the student's id in place" in told
    assert handed_in(course) == {"anna1": "501", "anna2": "502"}


def test_a_pattern_of_ones_own(course):
    course.config.Collect.patterns = [r"\d+-(?P<student>.+)-final"]
    put(course, "17-hofer anton-final.ipynb", notebook(course, "mine"))
    assert collect.collect(course, NAME).said == [] and handed_in(course) == {"ahofer": "mine"}


@pytest.mark.parametrize("pattern, told", [("(", "unterminated"), (".*", "no group"), (3, "first")])
def test_a_pattern_that_names_nobody(course, pattern, told):
    course.config.Collect.patterns = [pattern]
    put(course, "bmueller.ipynb", notebook(course, "mine"))
    with pytest.raises(courses.GradingError, match=rf"c\.Collect\.patterns .* has .*{told}"):
        collect.collect(course, NAME)


def test_whatever_reading_one_file_raises_is_said_of_that_one(course, monkeypatch):
    """A folder that may not be read, a time that no calendar has, a mistake of ours."""
    for name in ("ahofer", "bmueller", "czhang"):
        put(course, f"{name}/{NAME}.ipynb", notebook(course, name))
    put(course, "dan1.ipynb", notebook(course, "dan1"))
    real, folder = zips.regular, course.root / "downloaded" / NAME
    os.utime(folder / "dan1.ipynb", (2**53, 2**53))  # a disk may refuse that
    ages = (folder / "dan1.ipynb").stat().st_mtime > 1e12

    def regular(path, most, **more):
        if "ahofer" in path.parts:
            raise ZeroDivisionError("nobody has thought of this")
        return real(path, most, **more)

    monkeypatch.setattr(zips, "regular", regular)
    said = collect.collect(course, NAME).said
    assert set(handed_in(course)) == {"bmueller", "czhang", *([] if ages else ["dan1"])}
    assert (
        f"downloaded/{NAME}/ahofer/{NAME}.ipynb cannot be read (ZeroDivisionError: nob" in said[0]
    )
    assert not ages or f"downloaded/{NAME}/dan1.ipynb cannot be read (" in said[1]


def test_a_folder_that_may_not_be_read_is_named(open_folder):
    course = small.make(open_folder)
    (open_folder / "students.csv").write_text(ROSTER, "utf-8")
    for name in ("ahofer", "bmueller"):
        put(course, f"{name}/{NAME}.ipynb", b"{}")
    closed = open_folder / "downloaded" / NAME / "ahofer"
    closed.chmod(0)
    with nobody():
        found = collect.look(course, NAME)
    closed.chmod(0o755)
    assert list(found.chosen) == ["bmueller"]
    (said,) = found.said
    assert said.startswith(f"downloaded/{NAME}/ahofer cannot be read (PermissionError: ")


def test_a_roster_that_is_none(course):
    path = course.root / "students.csv"
    for text, told in (
        ("name\nx", "needs a first line"),
        ("id\n--x y", "has the id"),
        ("id\na\na", "more than once"),
        ("id,name\na,Müller".encode("latin-1"), r"is not UTF-8: byte 11 is 0xfc; save it as UTF-8"),
        ("id,name\na,Ann".encode("utf-16"), "is not UTF-8: byte 0 is 0xff"),
        ("id,name\na," + "x" * 200_000, r"cannot be read as a table: field larger"),
        ("Student,Section\nAnn,1", "needs a first line with `id`"),
    ):
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        with pytest.raises(courses.GradingError, match=told):
            roster.roster(course)
    path.write_text("\ufeffid;name\na;Ann", "utf-8")
    assert roster.roster(course) == [roster.Student("a", "Ann")]
    path.write_bytes(b"id,name\r\na,Ann\rb,Bob\r")
    assert [one.id for one in roster.roster(course)] == ["a", "b"]
    path.unlink()
    put(course, "a.ipynb", b"{}")
    with pytest.raises(courses.GradingError, match=r"students\.csv"):
        collect.collect(course, NAME)


def test_no_student_sets_the_time(course):
    """In a zip of their own students can write any; it has the time at which it came."""
    early, late = (2020, 1, 1, 0, 0, 0), (2026, 3, 9, 12, 0, 0)
    inner = zipped({"01_small.ipynb": notebook(course, "old?")}, early)
    outer = zipped({"Anton Hofer_1_assignsubmission_file/homework.zip": inner}, late)
    put(course, "all.zip", outer)
    put(course, "bmueller.zip", inner)
    put(course, "zc77/homework.zip", inner)
    assert collect.collect(course, NAME).said == []
    assert set(handed_in(course)) == {"ahofer", "bmueller", "czhang"}
    for student in ("ahofer", "bmueller", "czhang"):
        stamp = course.root / "submitted" / student / NAME / "timestamp.txt"
        assert stamp.read_text() > "2026-03-09"


def test_a_zip_that_is_no_homework_does_not_stop_the_class(course):
    nest = zipped({f"{i}.ipynb": b"0" * 9_000_000 for i in range(11)})  # 99 MB in 100 kB
    bomb = zipped({f"{i}.zip": nest for i in range(50)})
    bad = bytearray(zipped({"01_small.ipynb": notebook(course, "bad")}))
    bad[60:300] = b"\xff" * 240
    who = "{}_1_assignsubmission_file/work.zip"
    files = {who.format(name): data for name, data in (("Anton Hofer", bomb), ("dan1", bytes(bad)))}
    files[who.format("zc77")] = zipped({"../01_small.ipynb": b"{}"})
    files[who.format("bmueller")] = zipped({"01_small.ipynb": notebook(course, "good")})
    put(course, "all.zip", zipped(files))
    start = time.process_time()
    said = collect.collect(course, NAME).said
    path = course.root / "submitted" / "bmueller" / NAME / f"{NAME}.ipynb"
    assert path.read_bytes() == notebook(course, "good")
    assert time.process_time() - start < 10
    for who, why in (
        ("Anton Hofer", "too large"),
        ("dan1", "cannot be read"),
        ("zc77", "leads out"),
    ):
        assert any(who in one and why in one for one in said), said


@pytest.mark.slow
def test_everyone_on_the_roster_has_a_row_and_points_are_the_same_everywhere(course):
    """A late hand-in, with the due date set after it was graded, and an extension."""
    a_tenth_a_day(course)
    put(course, "all.zip", zipped({"ahofer.ipynb": notebook(course, 1), "dan1.ipynb": b"{}"}))
    small.run(course)
    report = (course.root / "reports" / f"{NAME}.md").read_text("utf-8")
    assert "| ahofer | 8 | 10 |" in report and "| czhang | – | | | not handed in |" in report
    assert "| dan1 | – | | | not graded" in report

    def points():
        rows = exported(course)
        assert set(rows) == {"ahofer", "bmueller", "czhang", "dan1"}
        score = float(rows["ahofer"]["score"])
        assert score == scores.standing(course, "ahofer", NAME).points
        return score

    assert points() == 8
    with course.gradebook() as book:
        handed = book.find_submission(NAME, "ahofer").timestamp
        due = handed - datetime.timedelta(days=3)
        book.update_or_create_assignment(NAME, duedate=due.isoformat())
    assert points() == pytest.approx(8 * 0.7)
    (course.root / "extensions.csv").write_text(f"id,assignment,days\nahofer,{NAME},2\n")
    assert points() == pytest.approx(8 * 0.9)


def exported(course):
    """{student: line of the table}"""
    path = export.export(course).paths[0]
    with path.open(encoding="utf-8", newline="") as file:
        return {row["student_id"]: row for row in csv.DictReader(file)}


def test_who_has_no_points_has_an_empty_field_and_not_none_of_them(course):
    """Everybody is in the table, with what there is to say of their grade."""
    with (course.root / "students.csv").open("a", encoding="utf-8") as file:
        file.write("eve,Eve Adams,\nfay,Fay Park,\n")
    files = {
        f"{name}_{number}_assignsubmission_file/{file}": data
        for number, (name, file, data) in enumerate(
            [
                ("Berta Müller", "01_small.ipynb", notebook(course, "fine")),
                ("Anton Hofer", "work.rar", b"Rar!"),
                ("Dan de Vries", "01_small.ipynb", b"once upon a time"),
                ("Eve Adams", "01_small.ipynb", notebook(course, "eve")),
            ]
        )
    }
    put(course, "all.zip", zipped(files))
    small.submit(course, "eve", {}, zipped="assignment")  # another version: to be decided
    small.run(course)
    rows = exported(course)
    status = {student: row["status"] for student, row in rows.items()}
    assert status == {
        "bmueller": "not final",
        "ahofer": "no notebook",
        "dan1": "unreadable",
        "eve": "undecided",
        "czhang": "missing",
        "fay": "missing",
    }
    for student, row in rows.items():
        points = [row[key] for key in ("raw_score", "late_submission_penalty", "score")]
        assert points == (["8.0", "0.0", "8.0"] if student == "bmueller" else [""] * 3)
        assert row["max_score"] == "10.0" and row["assignment"] == NAME
    report = (course.root / "reports" / f"{NAME}.md").read_text("utf-8")
    assert "| ahofer | – | | | no notebook, see below |" in report
    with course.gradebook() as book:
        grade = book.find_grade("explain", NAME, NAME, "bmueller")
        grade.manual_score, grade.needs_manual_grade = 0, False
        book.db.commit()
    assert exported(course)["bmueller"]["status"] == "final"
    put(course, "z.zip", zipped({"zc77.ipynb": notebook(course, "new")}))
    assert exported(course)["czhang"]["status"] == "missing"  # until it is collected
    collect.collect(course, NAME)
    assert exported(course)["czhang"]["status"] == "not graded"


def test_names_are_not_cut_in_two(course):
    text = 'id,name,email\na1,Anton van der Berg,\nh2,"Thị Hoa, Dr.",\n'
    (course.root / "students.csv").write_text(text, "utf-8")
    small.submit(course, "a1")
    small.run(course)
    rows = exported(course)
    names = {key: (row["first_name"], row["last_name"]) for key, row in rows.items()}
    assert names == {"a1": ("", "Anton van der Berg"), "h2": ("", "Thị Hoa, Dr.")}
    text = "id,first_name,last_name,email\na1,Anton,van der Berg,a@x.org\n"
    (course.root / "students.csv").write_text(text, "utf-8")
    row = exported(course)["a1"]
    assert (row["first_name"], row["last_name"], row["email"]) == (
        "Anton",
        "van der Berg",
        "a@x.org",
    )
    (one,) = roster.roster(course)
    for spelling in ("antonvanderberg", "vanderberganton"):
        assert spelling in one.spellings()


def test_the_report_says_by_how_much_work_is_late_and_by_whose_clock(course):
    a_tenth_a_day(course)
    put(course, "all.zip", zipped({"ahofer.ipynb": notebook(course, 1)}))
    put(course, "dan1.ipynb", notebook(course, 2))  # came by mail
    put(course, "zc77.ipynb", notebook(course, 3))
    today = course.root / "downloaded" / NAME / "dan1.ipynb"
    stamp = datetime.datetime(2026, 3, 1, 12, 30).timestamp()  # as in the zip
    os.utime(today, (stamp, stamp))
    os.utime(today.with_name("zc77.ipynb"), (stamp - 3 * 86_400, stamp - 3 * 86_400))
    with course.gradebook() as book:
        due = datetime.datetime.fromtimestamp(stamp - 1.5 * 86_400, datetime.UTC)
        book.update_or_create_assignment(NAME, duedate=due.isoformat())
    small.run(course)
    report = (course.root / "reports" / f"{NAME}.md").read_text("utf-8")
    assert "| student | points | of | late | by hand |" in report
    assert "| ahofer | 6.4 | 10 | 1.5 days, 1.6 off | to do" in report
    assert "| dan1 | 6.4 | 10 | 1.5 days, 1.6 off | to do" in report
    assert "| czhang | 8 | 10 |  | to do" in report
    (told,) = [line for line in report.splitlines() if "by the time of its file" in line]
    assert told.startswith("- **dan1**") and f"downloaded/{NAME}/dan1.ipynb" in told
    (course.root / "extensions.csv").write_text("id,assignment,days\ndan1,,1.4\n")
    small.run(course)
    report = (course.root / "reports" / f"{NAME}.md").read_text("utf-8")
    assert "| dan1 | 7.2 | 10 | 2.4 hours, 0.8 off |" in report
    os.utime(today, (stamp - 2 * 86_400, stamp - 2 * 86_400))  # when it came, says the teacher
    small.run(course)
    report = (course.root / "reports" / f"{NAME}.md").read_text("utf-8")
    assert "| dan1 | 8 | 10 |  | to do" in report and "by the time of its file" not in report


def test_a_hook_or_an_extension_that_cannot_be_used_is_refused_in_words(course):
    small.submit(course, "ahofer")
    small.run(course)
    course.config.AssignLatePenalties.plugin_class = "late_hook.Missing"
    with pytest.raises(courses.GradingError, match="plugin for late work cannot be used"):
        scores.penalise_all(course, NAME)
    with course.gradebook() as book:
        book.find_submission(NAME, "ahofer").timestamp = datetime.datetime(2026, 3, 5)
        book.update_or_create_assignment(NAME, duedate="2026-03-04T00:00:00")
    for number, (taken, told) in enumerate(
        [
            ("1 / 0", "ZeroDivisionError: "),
            ("float('nan')", "is nan; give"),
            ("'x'", "is 'x'; give"),
        ]
    ):
        (course.root / f"late_{number}.py").write_text(
            "from nbgrader.plugins import BasePlugin\n\n\nclass ADay(BasePlugin):\n"
            "    def late_submission_penalty(self, student_id, score, total_seconds_late):\n"
            f"        return {taken}\n"
        )
        course.config.AssignLatePenalties.plugin_class = f"late_{number}.ADay"
        with pytest.raises(courses.GradingError, match=f"late work, asked for ahofer: .*{told}"):
            scores.penalise_all(course, NAME)
    del course.config.AssignLatePenalties
    (course.root / "extensions.csv").write_text("id,assignment,days\nahofer,,two\n")
    with pytest.raises(courses.GradingError, match="'two' is no number of days"):
        scores.penalise_all(course, NAME)


def test_who_handed_in_something_else_is_named(course):
    folder = "Berta Müller_48123_assignsubmission_file"
    put(course, f"{folder}/photo.pdf", b"%PDF")
    put(course, "all.zip", zipped({"Hofer Anton_48124_assignsubmission_file/work.rar": b"Rar!"}))
    chen = "Zhang Chen_48125_assignsubmission_"
    put(course, f"{chen}file/01_small.ipynb", notebook(course, "chen"))
    put(course, f"{chen}onlinetext/onlinetext.html", b"<p>")
    put(course, f"{chen}file/.venv/share/example.ipynb", notebook(course, "not mine"))
    put(course, os.fsdecode("Müller_48126_assignsubmission_file/work.7z".encode("latin-1")), b"7z")
    said = collect.collect(course, NAME).said
    assert [one.partition(";")[0] for one in said] == [
        f"In downloaded/{NAME}, no notebook and nobody's on the roster: "
        r"'M\udcfcller_48126_assignsubmission_file/work.7z'.",
        f"ahofer has no notebook in downloaded/{NAME}, but 'work.rar'",
        f"bmueller has no notebook in downloaded/{NAME}, but 'photo.pdf'",
    ]
    assert handed_in(course) == {"czhang": "chen"}


def test_names_of_many_languages(course):
    roster = "id,name,email\nm1,Mary-Ann Yılmaz,\nl2,Łukasz Ó Briain,\n"
    (course.root / "students.csv").write_text(roster, "utf-8")
    put(course, "yılmazmaryann_55120_9981_01_small.ipynb", notebook(course, "one"))
    put(course, "Lukasz O Briain_48124_assignsubmission_file/a.ipynb", notebook(course, "two"))
    assert collect.collect(course, NAME).said == []
    assert handed_in(course) == {"m1": "one", "l2": "two"}


def test_names_in_any_script(course):
    """Each is its student's, none of them everybody's, nor is a folder whose name is of signs."""
    names = "张伟 李娜 Мария_Иванова محمد_علي Αθηνά_Παππά かとう がとう अनिता अनीता 김민준".split()
    names = {f"s{number}": name.replace("_", " ") for number, name in enumerate(names)}
    roster = "".join(f"{who},{name},\n" for who, name in names.items())
    (course.root / "students.csv").write_text(f"id,name,email\n{roster}", "utf-8")
    for who, name in names.items():
        for form in ("NFC", "NFD"):  # systems differ, and so do the bytes
            folder = f"提交/…/{unicodedata.normalize(form, name)}_48_assignsubmission_file"
            put(course, f"{folder}/01_small.ipynb", notebook(course, who))
    put(course, "王芳_48_assignsubmission_file/01_small.ipynb", notebook(course, "?"))
    (told,) = collect.collect(course, NAME).said
    assert "王芳" in told and "fits nobody on the roster" in told
    assert handed_in(course) == {who: who for who in names}
