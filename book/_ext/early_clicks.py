"""What is seen before its script has come stays where it is, and a click on it is not lost.

Buttons of a page work once its deferred scripts have come, which on a slow line is long after they
are seen. A line in the head keeps the last that was chosen meanwhile, and chooses it again then. A
player, and whatever else comes alive where it stands in the page, has answered already.
Until then the page is `early`, and custom.css folds what a script is going to fold.
"""

from __future__ import annotations

from sphinx.application import Sphinx

KEEP = """(() => {
  const { classList } = document.documentElement;
  let early;
  const keep = ({ target }) => {
    const chosen = target.closest("a, button, .dropdown > .admonition-title");
    if (chosen && !chosen.matches("a, .ott-live *")) early = chosen;
  };
  const ready = () => {
    removeEventListener("click", keep, true);
    classList.remove("early");
    early?.click();
  };
  classList.add("early");
  addEventListener("click", keep, true);
  addEventListener("DOMContentLoaded", () => setTimeout(ready));
})();"""


def setup(app: Sphinx) -> dict:
    app.add_js_file(None, body=KEEP, priority=1)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
