"""Running one cell of a notebook in a namespace, and keeping what it shows within bounds.

No Jupyter kernel: a cell is compiled and executed, its last expression is displayed, what it prints
is caught, open figures become pictures. That is all that grading needs, and it starts in no time.
Only text and PNG pictures come out: HTML and scripts would run in the browser of whoever looks.
"""

import ast
import base64
import contextlib
import io
import signal
import sys

MAX_TEXT = 10_000  # characters of a cell's output
MAX_PICTURE = 300_000  # bytes
MAX_PICTURES = 4  # of a cell
OURS = {"CellTimeout", "SessionEnded", "TestEnded", "NotRun"}  # errors that only the grading has


class CellTimeout(BaseException):
    """The cell ran for too long. Not an Exception, so `except Exception` does not swallow it."""


class Printed(io.TextIOBase):
    """What a cell prints, up to a limit; the rest is counted and thrown away."""

    def __init__(self):
        self.parts, self.size, self.dropped = [], 0, 0

    def writable(self):
        return True

    def write(self, text):
        kept = text[: max(0, MAX_TEXT - self.size)]
        self.parts.append(kept)
        self.size += len(kept)
        self.dropped += len(text) - len(kept)
        return len(text)

    def take(self):
        """What has been printed since this was last asked."""
        text, self.parts = "".join(self.parts), []
        return text

    def text(self):
        shown = as_seen("".join(self.parts))
        return shown + (f"\n[{self.dropped:,} more characters]\n" if self.dropped else "")


def as_seen(text):
    """What remains to be seen of text with carriage returns: of a progress bar, its last state."""
    lines = text.replace("\r\n", "\n").split("\n")
    return "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in lines)


def run(source, namespace, name, *, seconds, before=None, describe=None):
    """Execute one cell.

    before: is called first, within the time limit and what is caught. describe: what `described`
    does, otherwise. Returns {"outputs": [...], "error": None or {ename, evalue, traceback},
    "dropped": how many characters of what it printed were not kept}.
    """
    printed, shown = Printed(), []
    namespace["display"] = lambda *things: shown.extend(bundle(thing) for thing in things)
    error = None
    try:
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            with time_limit(seconds):
                if before:
                    before()
                execute(source, namespace, name, shown)
                shown.extend(figures())
    except CellTimeout:
        error = said("CellTimeout", f"stopped after {seconds:g} seconds")
    except BaseException as caught:
        error = (describe or described)(caught, source, name)
    outputs = []
    if printed.size:
        outputs.append({"output_type": "stream", "name": "stdout", "text": printed.text()})
    pictures = [one for one in shown if "image/png" in one]
    kept = [one for one in shown if "image/png" not in one][:MAX_PICTURES] + pictures[:MAX_PICTURES]
    outputs += [{"output_type": "display_data", "data": data, "metadata": {}} for data in kept]
    return {"outputs": outputs, "error": error, "dropped": printed.dropped}


def execute(source, namespace, name, shown):
    tree = compile(source, name, "exec", ast.PyCF_ONLY_AST)
    final = None
    if tree.body and isinstance(tree.body[-1], ast.Expr) and not source.rstrip().endswith(";"):
        final = ast.Expression(tree.body.pop().value)
    exec(compile(tree, name, "exec"), namespace)
    if final is not None:
        value = eval(compile(final, name, "eval"), namespace)
        if value is not None:
            shown.append(bundle(value))


@contextlib.contextmanager
def time_limit(seconds):
    """Raise CellTimeout after so many seconds, then again each second that it is not heeded."""

    def ring(number, frame):
        raise CellTimeout

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds, 1.0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def bundle(thing):
    """What a notebook would show of an object: its text, and its picture if it has one."""
    if type(thing).__name__ == "Figure" and hasattr(thing, "savefig"):
        return picture(thing)
    return {"text/plain": repr(thing)[:MAX_TEXT]}


def figures():
    """The figures that are open, as pictures; they are closed."""
    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot is None:
        return []
    found = [picture(pyplot.figure(number)) for number in pyplot.get_fignums()[:MAX_PICTURES]]
    pyplot.close("all")
    return found


def picture(figure):
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=72, bbox_inches="tight")
    data = file.getvalue()
    if len(data) > MAX_PICTURE:
        return {"text/plain": f"[a figure of {len(data):,} bytes is too large to keep]"}
    return {"image/png": base64.b64encode(data).decode("ascii"), "text/plain": "<Figure>"}


def said(kind, message):
    """An error of the grading's own, as a notebook stores it."""
    return {"ename": kind, "evalue": message, "traceback": [f"{kind}: {message}"]}


def text_of(error):
    try:
        return str(error)[:2000]
    except BaseException:
        return "(an error that cannot say what it is)"


def steps(error, sources):
    """(name, number, text) of the lines of cells on the way to an error, the outermost first.

    sources: {name that a cell was compiled under: its text}.
    """
    trace, lines = error.__traceback__, {}
    while trace is not None:
        name, number = trace.tb_frame.f_code.co_filename, trace.tb_lineno
        if name in sources:
            lines[name] = lines.get(name) or sources[name].splitlines()
        if 0 < number <= len(lines.get(name, ())):
            yield name, number, lines[name][number - 1]
        trace = trace.tb_next


def described(error, source, name):
    """An error as a notebook stores it: the lines of this cell, and of a student's that it asked
    (calls.py), on the way to it."""
    kind, message = type(error).__name__[:100], text_of(error)
    way = [f"line {number}: {text}" for _, number, text in steps(error, {name: source})]
    way += [str(one) for one in getattr(error, "lines", [])]
    return {"ename": kind, "evalue": message, "traceback": [*way[-5:], f"{kind}: {message}"]}
