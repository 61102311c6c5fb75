// What is wider than the page scrolls in its own box: then, and only then, the keyboard reaches it.
// A box is looked at once it has a size, and again whenever that changes: when the window does, or
// when what it stands in is unfolded.
(() => {
  const boxes = "article :is(div.math, .ott-columns, .pst-scrollable-table-container, .output, pre)";
  const watch = new ResizeObserver((changes) => {
    const wide = changes.map(({ target }) => target.scrollWidth > target.clientWidth);
    changes.forEach(({ target }, i) => {
      if (wide[i]) target.tabIndex = 0;
      else target.removeAttribute("tabindex");
    });
  });
  addEventListener("load", () => document.querySelectorAll(boxes).forEach((box) => watch.observe(box)));
})();
