"""What came out of the sandbox, as people read it: a notebook within bounds, and sentences."""

import base64
import re
import struct

import nbformat

from .course import marks
from .inside.cells import OURS
from .rebuild import title

WITHHELD = (
    "This test passed, but its points are withheld until the teacher has decided, because of what "
    "the report at the top of this notebook says."
)


def fill_in(rebuilt, result, *, withhold):
    """Put what each cell showed into the rebuilt notebook. Returns the names of withheld tests.

    result: what inside/run.py hands back. withhold: whether passed tests earn nothing for now.
    """
    withheld, room = set(), MAX_PIXELS_IN_ALL
    for (_, cell, _), got in zip(rebuilt.code(), result["cells"], strict=True):
        outputs = []
        for one in got["outputs"]:
            outputs.append(shown(one, room))
            room -= pixels((outputs[-1] or {}).get("data", {}).get("image/png")) or 0
        error = got["error"]
        if got["verdict"] == "failed" and error is None:
            error = {"ename": "TestFailed", "evalue": "", "traceback": ["the test failed"]}
        if error is not None:
            outputs.append({"output_type": "error", **told(error)})
        elif got["verdict"] == "passed" and withhold:
            withheld.add(marks(cell)["grade_id"])
            outputs.append({"output_type": "stream", "name": "stdout", "text": WITHHELD + "\n"})
        cell.outputs = [nbformat.from_dict(one) for one in outputs if one]
        cell.execution_count = None
    for cell in rebuilt.notebook.cells:
        cell.source = harmless(cell.source, code=cell.cell_type == "code")
    return withheld


TURNING = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


def harmless(text, *, code):
    """A cell as people are shown it: orders to a terminal are signs, \x1b is ␛; and in code what
    would turn the direction of writing, so that it is not read in the order in which it runs."""
    text = text.replace("\r\n", "\n")
    signs = {number: chr(0x2400 + number) for number in range(32) if chr(number) not in "\n\t"}
    signs |= {127: "\u2421"} | {number: f"\\x{number:x}" for number in range(128, 160)}
    signs |= {ord(one): f"\\u{ord(one):x}" for one in TURNING} if code else {}
    return text.translate(signs)


MAX_TEXT = 12_000  # characters of an output
MAX_LINE = 2000  # of an error's
MAX_PIXELS = 4_000_000
MAX_PIXELS_IN_ALL = 40_000_000  # of a notebook
MAX_PNG = 400_000  # bytes
CHUNKS = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND", b"pHYs", b"tEXt", b"sBIT", b"gAMA", b"sRGB"}


def shown(output, room=MAX_PIXELS_IN_ALL):
    """An output as inside/cells.py makes it, text or a PNG picture of bounded size; else None."""
    if output.get("output_type") == "stream" and isinstance(output.get("text"), str):
        text = readable(output["text"], MAX_TEXT)
        return {"output_type": "stream", "name": "stdout", "text": text}
    data = output.get("data") if output.get("output_type") == "display_data" else None
    if not isinstance(data, dict) or not isinstance(data.get("text/plain"), str):
        return None
    found = {"text/plain": readable(data["text/plain"], MAX_TEXT)}
    if "image/png" in data:
        if 0 < pixels(data["image/png"]) <= min(MAX_PIXELS, room):
            found["image/png"] = data["image/png"]
        else:
            found["text/plain"] = "[a picture that is too large to show, or none]"
    return {"output_type": "display_data", "data": found, "metadata": {}}


def told(error):
    """An error without what a terminal or a page would take for orders."""
    trace = [readable(line, MAX_LINE) for line in error["traceback"]]
    ename, evalue = readable(error["ename"], 100), readable(error["evalue"], MAX_LINE)
    return {"ename": ename, "evalue": evalue, "traceback": trace}


def readable(text, most):
    """Text in several lines, without colours and other orders to a terminal, and not too long."""
    text = re.sub(r"\x1b\[[0-?]*[ -/]*[@-~]", "", text[: 2 * most])[:most]
    return printable(text, "\n\t")


JOINERS = "\u200c\u200d"  # of emoji, and of letters in Persian and Hindi; they hide nothing


def printable(text, besides=""):
    """Text that a terminal and a file can take. A student's words, and names of files, may hold
    half a character, a line break or an order to the terminal; these, but for `besides`, are shown
    as Python's repr shows them."""
    kept = JOINERS + besides
    return "".join(
        one if one.isprintable() or one in kept else one.encode("unicode_escape").decode()
        for one in text
    )


def pixels(text):
    """How many points a PNG has when it is unpacked; 0 if it is none, or has more in it."""
    try:
        data = base64.b64decode(text, validate=True)
    except (ValueError, TypeError):
        return 0
    if not 24 <= len(data) <= MAX_PNG or data[:8] != b"\x89PNG\r\n\x1a\n":
        return 0
    at, kinds = 8, []
    while at + 12 <= len(data):
        kinds.append(data[at + 4 : at + 8])
        at += 12 + struct.unpack_from("!I", data, at)[0]
    if at != len(data) or kinds[:1] != [b"IHDR"] or b"IHDR" in kinds[1:] or set(kinds) - CHUNKS:
        return 0
    width, height = struct.unpack_from("!II", data, 16)
    return width * height


def sentences(rebuilt, findings):
    """[[cell index, phrase]] as sentences, one for each phrase however many cells it is about."""
    cells = {}
    for index, phrase in findings:
        cells.setdefault(phrase, []).append(name_of(rebuilt, index))
    return [
        f"The cell {first!r}{f' (and {len(others)} more)' if others else ''} {phrase}."
        for phrase, (first, *others) in cells.items()
    ]


def failures_of_ours(rebuilt, result):
    """A sentence if a cell of the assignment itself failed before any of the student's had run."""
    for index, (cell, (_, _, kind)) in enumerate(zip(result["cells"], rebuilt.code(), strict=True)):
        if kind != "given":
            break
        if cell["error"]:
            error = f"{cell['error']['ename']}: {cell['error']['evalue']}"
            where = name_of(rebuilt, index)
            return [f"The cell {where!r} is the assignment's own and failed here ({error})."]
    return []


MOST_ODDITIES = 20  # sentences about one notebook


def oddities(rebuilt, result):
    """Sentences about cells that did not end as cells do, or that printed more than is kept."""
    found = []
    for index, cell in enumerate(result["cells"]):
        where, error = name_of(rebuilt, index), cell["error"] or {"ename": ""}
        if error["ename"] in ("SyntaxError", "IndentationError", "TabError"):
            found.append(f"The cell {where!r} is no Python ({error['evalue'][:80]!r}).")
        elif error["ename"] in OURS:
            found.append(f"The cell {where!r}: {error['evalue']}.")
        elif error["ename"] in ("SystemExit", "KeyboardInterrupt", "MemoryError"):
            found.append(f"The cell {where!r} ended with {error['ename']}.")
        if cell.get("dropped"):
            found.append(
                f"The cell {where!r} printed {cell['dropped']:,} more characters than fit."
            )
    if len(found) > MOST_ODDITIES:
        found[MOST_ODDITIES:] = [f"So it is with {len(found) - MOST_ODDITIES} more cells."]
    return found


def nothing(rebuilt):
    """The result of a notebook that handed back none."""
    stopped = {"ename": "Stopped", "evalue": "", "traceback": ["The run had to be stopped."]}
    test = {"outputs": [], "error": stopped, "verdict": "failed"}
    other = {"outputs": [], "error": None, "verdict": None}
    cells = [test if kind == "test" else other for _, _, kind in rebuilt.code()]
    return {"cells": cells, "findings": []}


def times(rebuilt, result):
    """{name of a test: seconds it ran}; of those that came to run."""
    return {
        marks(cell)["grade_id"]: round(got["seconds"], 2)
        for (_, cell, kind), got in zip(rebuilt.code(), result["cells"], strict=True)
        if kind == "test" and "seconds" in got
    }


def name_of(rebuilt, index):
    """How to call the cell with that number in a plan: by its name, or how it begins."""
    number, cell, _ = rebuilt.code()[index]
    begins = cell.source.strip().partition("\n")[0]
    return marks(cell).get("grade_id") or f"{title(cell, number)}, {begins[:40]}"
