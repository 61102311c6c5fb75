// What is wider than the page scrolls in its own box: then, and only then, the keyboard reaches it.
(() => {
  const boxes = "article :is(div.math, .ott-columns, .pst-scrollable-table-container, .highlight pre)";
  const look = () => {
    for (const box of document.querySelectorAll(boxes)) {
      if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
      else box.removeAttribute("tabindex");
    }
  };
  addEventListener("load", look);
  addEventListener("resize", look);
})();
