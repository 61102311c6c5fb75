// A formula that is wider than the page scrolls: then, and only then, the keyboard reaches it.
(() => {
  const look = () => {
    for (const formula of document.querySelectorAll("article div.math")) {
      if (formula.scrollWidth > formula.clientWidth) formula.tabIndex = 0;
      else formula.removeAttribute("tabindex");
    }
  };
  addEventListener("load", look);
  addEventListener("resize", look);
})();
