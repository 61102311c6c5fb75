"""Run the notebooks and store their outputs: `make refresh`, or `make refresh NOTEBOOK=chapters/…`.

Each notebook runs from top to bottom in a fresh kernel. It is written back only when every cell
succeeded, in one step, in a normal form: what changes from run to run (timestamps, widget models,
how a stream was cut into pieces) is dropped, so that the next run changes nothing but the timings.
And it is the form that JupyterLab writes, so that opening a chapter does not change it.

At the end the page of claims is written anew, from what the chapters now store, and the
bibliography, from its entries.

`tools/refresh.py --form-only NOTEBOOK…` brings notebooks into that form without running them: so
too when a style or a script that outputs bring along was changed.
"""

import argparse
import os
import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from tqdm import tqdm
from traitlets.config import Config

from utils.page import bibliography, ledger, theme
from utils.text.files import write_whole
from utils.text.printing import run_program

ROOT = Path(__file__).resolve().parent.parent
CELL_SECONDS = 300  # no cell takes that long; one that does has stopped
PAGES = {"claims.md": ledger.page, "bibliography.md": bibliography.page}
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
KEPT_METADATA = {"tags", "jupyter", "nbgrader"}
# What the site folds by a tag, JupyterLab folds by these notes on the cell.
FOLDED = {
    "hide-input": ("source_hidden",),
    "hide-output": ("outputs_hidden",),
    "hide-cell": ("source_hidden", "outputs_hidden"),
}
# What JupyterLab notes of the kernel. The kernel's own version of Python would differ from one
# reader to the next; tools/environment.py has kernels not name it.
KERNEL = {
    "kernelspec": {
        "display_name": "Python 3 (ipykernel)",
        "language": "python",
        "name": "python3",
    },
    "language_info": {
        "codemirror_mode": {"name": "ipython", "version": 3},
        "file_extension": ".py",
        "mimetype": "text/x-python",
        "name": "python",
        "nbconvert_exporter": "python",
        "pygments_lexer": "ipython3",
    },
}


def main():
    parser = argparse.ArgumentParser(description="Run notebooks and store their outputs.")
    parser.add_argument("notebooks", nargs="*", type=Path, help="default: all chapters")
    parser.add_argument("--form-only", action="store_true", help="bring into form, do not run")
    arguments = parser.parse_args()
    notebooks = arguments.notebooks or sorted((ROOT / "chapters").glob("*.ipynb"))
    failures = 0
    for path in notebooks:
        name, start = os.path.relpath(path), time.perf_counter()
        try:
            changed = refresh(path, run=not arguments.form_only)
        except (OSError, RuntimeError, ValueError) as error:  # no file, a failed cell, not JSON
            failures += 1
            print(f"{name}: {error}", file=sys.stderr, flush=True)
        else:
            seconds = time.perf_counter() - start
            print(f"{name}: {seconds:.0f} s{'' if changed else ', unchanged'}", flush=True)
    return int(failures > 0 or write_pages() > 0)


def write_pages():
    """Write anew the pages that are made from others. Returns how many that could not be."""
    failures = 0
    for name, page in PAGES.items():
        try:
            write_whole(ROOT / "book" / name, page(ROOT))
        except (OSError, ValueError) as error:
            failures += 1
            print(f"book/{name}: {error}", file=sys.stderr, flush=True)
    return failures


def refresh(path, run=True):
    """Run one notebook and store what it shows, in normal form. Returns whether the file changed.

    When a cell fails, raises RuntimeError with the cell and its error; the file stays as it was.
    """
    before = path.read_text(encoding="utf-8")
    notebook = nbformat.reads(before, as_version=4)
    if run:
        execute(notebook, path)
    after = nbformat.writes(normalise(notebook)) + "\n"
    if after != before:
        write_whole(path, after)
    return after != before


def execute(notebook, path):
    """Run every cell in a fresh kernel, started in the notebook's own folder."""
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for cell in code:
        cell.update(outputs=[], execution_count=None)
    with tqdm(total=len(code), desc=path.stem, unit="cell", leave=False, disable=None) as bar:
        client = NotebookClient(
            notebook,
            timeout=CELL_SECONDS,
            kernel_name="python3",
            resources={"metadata": {"path": str(path.parent)}},
            config=Config(KernelManager={"transport_encryption": "auto"}),  # else kernels warn
            record_timing=False,
            store_widget_state=False,
            on_cell_executed=lambda **_: bar.update(),
        )
        try:
            client.execute()
        except CellExecutionError as error:
            where = failed_cell(notebook)
            raise RuntimeError(f"{where} failed:\n{error.traceback}") from None
        except (CellTimeoutError, DeadKernelError) as error:
            raise RuntimeError(f"after {bar.n} of {len(code)} code cells: {error}") from None


def failed_cell(notebook):
    """Which cell failed, as a reader finds it: its number among code cells and its first line."""
    ran = [cell for cell in notebook.cells if cell.get("execution_count")]
    return f"code cell {len(ran)} (“{ran[-1].source.splitlines()[0]}”)"


def normalise(notebook):
    """The notebook as JupyterLab writes it, without what differs from run to run."""
    notebook.metadata = nbformat.from_dict(KERNEL)
    notebook.nbformat_minor = 5
    for number, cell in enumerate(notebook.cells, start=1):
        cell.setdefault("id", f"cell-{number}")
        kept = {key: value for key, value in cell.metadata.items() if key in KEPT_METADATA}
        folded = [note for tag in kept.get("tags", []) for note in FOLDED.get(tag, ())]
        if folded:
            kept["jupyter"] = {**kept.get("jupyter", {}), **dict.fromkeys(folded, True)}
        if "outputs_hidden" in kept.get("jupyter", {}):
            kept["collapsed"] = kept["jupyter"]["outputs_hidden"]  # an older name for the same
        cell.metadata = nbformat.from_dict(kept)
        if cell.cell_type == "code":
            cell.outputs = normal_outputs(cell.outputs)
    return nbformat.from_dict(as_in_a_browser(notebook))


def as_in_a_browser(value):
    """Data as a browser hands it back: it knows one kind of number, and 1.0 is 1 to it."""
    if isinstance(value, dict):
        return {key: as_in_a_browser(part) for key, part in value.items()}
    if isinstance(value, list):
        return [as_in_a_browser(part) for part in value]
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    return value


def normal_outputs(outputs):
    """Outputs without widget models, with each stream in one piece that reads as on a terminal.

    What is printed after a table or a picture stays after it; a bar goes on where it began.
    """
    result, open_streams = [], {}
    for output in outputs:
        if output.output_type != "stream":
            open_streams.pop("stdout", None)
            data = output.get("data", {})
            data.pop(WIDGET_VIEW, None)  # it lives no longer than its kernel
            if "text/html" in data:
                data["text/html"] = theme.renew(data["text/html"])
        elif output.name in open_streams:
            open_streams[output.name].text += output.text
            continue
        else:
            open_streams[output.name] = output
        result.append(output)
    for stream in [output for output in result if output.output_type == "stream"]:
        if "\r" in stream.text:
            stream.text = as_seen(stream.text)
            if not stream.text.strip():  # a bar that removed itself
                result.remove(stream)
    return result


def as_seen(text):
    """What remains to be seen of text with carriage returns: of a progress bar, its last state."""
    lines = text.replace("\r\n", "\n").split("\n")
    return "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in lines)


if __name__ == "__main__":
    run_program(main)
