// Paper is white: a page prints in the light theme, with its film-strips and code unfolded.
(() => {
  const root = document.documentElement;
  let theme, folded = [];
  addEventListener("beforeprint", () => {
    theme = root.dataset.theme;
    root.dataset.theme = "light";
    folded = [...document.querySelectorAll("article details:not([open]):not([hidden])")];
    for (const details of folded) details.open = true;
  });
  addEventListener("afterprint", () => {
    root.dataset.theme = theme;
    for (const details of folded) details.open = false;
  });
})();
