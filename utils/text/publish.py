"""Putting an output into a notebook, in all the forms that its readers can show."""

from __future__ import annotations

from typing import Any


def publish(bundle: dict[str, Any]) -> None:
    """Display one output in all its forms, {mime type: data}; outside IPython, print the text."""
    from IPython import get_ipython
    from IPython.display import display

    if get_ipython() is None:
        print(bundle["text/plain"])
    else:
        display(bundle, raw=True)


def in_kernel() -> bool:
    """Whether a notebook's kernel runs this, so that widgets have someone to talk to."""
    from IPython import get_ipython

    return hasattr(get_ipython(), "kernel")
