"""Small notebooks, as they are written by hand and stored."""

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from tools.refresh import normalise


def code(source, *outputs, tags=(), count=1):
    cell = new_code_cell(source, execution_count=count, outputs=list(outputs))
    cell.metadata = nbformat.from_dict({"tags": list(tags)} if tags else {})
    return cell


def text(source="Words."):
    return new_markdown_cell(source)


def stream(words, name="stdout"):
    return new_output("stream", name=name, text=words)


def html(page, **data):
    return new_output("display_data", data={"text/html": page, **data})


def book(*cells):
    """A notebook with a title, these cells and a closing word, in normal form."""
    return normalise(new_notebook(cells=[text("# Title"), *cells, text()]))
