"""A click on what is seen, and not yet at work, is not lost.

Buttons of a page work once its deferred scripts have come, which on a slow line is long after they
are seen. A line in the head keeps the last that was chosen meanwhile, and chooses it again then. A
player, and whatever else comes alive where it stands in the page, has answered already.
"""

from __future__ import annotations

from sphinx.application import Sphinx

KEEP = """(() => {
  let early;
  const keep = ({ target }) => (early = target.closest("button:not(.ott-live *)") ?? early);
  addEventListener("click", keep, true);
  addEventListener("DOMContentLoaded", () =>
    setTimeout(() => {
      removeEventListener("click", keep, true);
      early?.click();
    }),
  );
})();"""


def setup(app: Sphinx) -> dict:
    app.add_js_file(None, body=KEEP, priority=1)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
