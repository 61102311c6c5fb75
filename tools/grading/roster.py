"""Who is in the class: students.csv, with a line for each, and how a student may be spelled."""

import csv
import dataclasses
import io
import re
import unicodedata

from .course import GradingError, few
from .submissions import STUDENT

LETTERS = str.maketrans({"ı": "i", "ł": "l", "ø": "o", "đ": "d", "ð": "d", "æ": "ae", "œ": "oe"})
FIELDS = ("id", "name", "email", "first_name", "last_name")


@dataclasses.dataclass(frozen=True)
class Student:
    """canvas: {column: text} of the columns by which Canvas knows a student."""

    id: str
    name: str = ""
    email: str = ""
    first_name: str = ""
    last_name: str = ""
    canvas: dict = dataclasses.field(default_factory=dict)

    @property
    def about(self):
        """What the gradebook is told. A name in one piece stays that: nobody can say from the
        letters where it parts."""
        last = self.last_name if self.first_name else self.name
        return {"first_name": self.first_name, "last_name": last, "email": self.email}

    def spellings(self):
        """What, without spaces and signs, may stand for this student."""
        words = [squeezed(one) for one in self.name.split()]
        turned = [words, words[::-1], [*words[-1:], *words[:-1]], [*words[1:], *words[:1]]]
        turned += [[squeezed(self.last_name), squeezed(self.first_name)]]
        found = {"".join(one) for one in turned} | {squeezed(self.id), squeezed(self.email)}
        return (found | {squeezed(self.email.partition("@")[0])}) - {""}


def plain(text):
    """Words of letters and digits, small and without accents: Müller is muller. Letters of any
    script, and signs that are none of our accents: が is another letter than か."""
    text = unicodedata.normalize("NFKD", text.casefold().translate(LETTERS))
    text = re.sub("[\u0300-\u036f]", "", text)
    return " ".join(
        "".join(one if unicodedata.category(one)[0] in "LMN" else " " for one in text).split()
    )


def squeezed(text):
    return plain(text).replace(" ", "")


def table(path):
    """The rows of a small table, dicts, with commas or semicolons between its columns. Raises
    GradingError if it is none, or not UTF-8: names would be damaged, and fit nobody."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise GradingError(
            f"{path} is not UTF-8: byte {error.start} is 0x{error.object[error.start]:02x}; save "
            "it as UTF-8 (in a spreadsheet: “CSV UTF-8”)."
        ) from None
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    first = text.partition("\n")[0]
    between = ";" if first.count(";") > first.count(",") else ","
    try:
        return list(csv.DictReader(io.StringIO(text), delimiter=between))
    except csv.Error as error:
        raise GradingError(f"{path} cannot be read as a table: {error}.") from None


CANVAS = ("ID", "SIS User ID", "SIS Login ID", "Section")  # columns of its gradebook


def roster(course):
    """[Student] of students.csv, [] if there is none. Raises GradingError if it is none."""
    path = course.root / "students.csv"
    if not path.exists():
        return []
    rows = table(path)
    if rows and "id" not in rows[0] and {"Student", "Section"} <= set(rows[0]):
        rows = of_canvas(rows)
    if not rows or "id" not in rows[0]:
        raise GradingError(f"{path} needs a first line with `id`, and better `id,name,email`.")
    found = []
    for row in rows:
        one = {key: " ".join((row.get(key) or "").split()) for key in FIELDS}
        one["name"] = one["name"] or f"{one['first_name']} {one['last_name']}".strip()
        if not STUDENT.fullmatch(one["id"]):
            raise GradingError(
                f"{path} has the id {one['id']!r}; an id is of letters a to z, digits and . _ - + @"
            )
        found.append(Student(**one, canvas={key: row[key] or "" for key in CANVAS if key in row}))
    ids = [one.id for one in found]
    if len(set(ids)) != len(ids):
        raise GradingError(f"{path} has an id more than once.")
    return found


def of_canvas(rows):
    """The students of a gradebook as Canvas exports it, known by what they sign in with."""
    found = []
    for row in rows:
        last, _, first = (row["Student"] or "").partition(",")
        number = row.get("SIS Login ID") or row.get("SIS User ID") or row.get("ID")
        if number and last.strip() != "Points Possible" and row["Student"] != "Student, Test":
            found.append({**row, "id": number, "first_name": first, "last_name": last})
    return found


def enter(course, book, students=()):
    """Put the roster, and others by their ids, into the gradebook. Raises GradingError where the
    roster has another id for somebody who is graded: they would be in it twice."""
    listed = roster(course)
    if changed := [f"{new} (who was {old})" for old, new in renamed(book, listed)]:
        raise GradingError(
            f"{course.root / 'students.csv'} has other ids for students who are graded already: "
            f"{few(changed)}. Leave `id` as it was, and add the other columns, such as Canvas's, "
            "to your own list."
        )
    for one in listed:
        book.update_or_create_student(one.id, **one.about)
    for student in sorted(students):
        if STUDENT.fullmatch(student):
            book.update_or_create_student(student)


def renamed(book, listed):
    """[(id in the gradebook, id on the roster)] of those with work by an id that is no more on the
    roster, while somebody with the same address or name is, and has no work."""
    if not listed:
        return []
    working = {one.id: one for one in book.students if one.submissions}
    gone = [one for one in working.values() if one.id not in {each.id for each in listed}]
    return [
        (old.id, new.id)
        for old in gone
        for new in listed
        if new.id not in working and same_person(old, new)
    ]


def same_person(old, new):
    """old: a student of nbgrader's gradebook; new: one of the roster."""
    before, now = {old.email, old.id} - {None, ""}, {new.email, new.id} - {""}
    if {one.casefold() for one in before} & {one.casefold() for one in now}:
        return True
    names = [f"{one.first_name or ''} {one.last_name or ''}" for one in (old, new)]
    names = [sorted(plain(one).split()) for one in (names[0], names[1].strip() or new.name)]
    return bool(names[0]) and names[0] == names[1] and not (old.email and new.email)
