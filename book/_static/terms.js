// A term of the glossary is explained where it stands: on hover, and when the keyboard comes to it.
// Escape closes the explanation, and the pointer may move onto it. The texts are loaded when the
// first one is wanted, as a script, since a page opened from a file may not fetch anything else.
(() => {
  const links = "article a[href*='#term-']";
  const texts = document.currentScript.src.replace(/terms\.js.*/, "glossary.js");
  const loaded = () =>
    (loaded.once ??= new Promise((resolve) => {
      const script = document.createElement("script");
      script.src = texts;
      script.onload = () => resolve(window.bookTerms);
      document.head.append(script);
    }));
  const box = document.createElement("div");
  box.className = "term-box";
  box.id = "term-box";
  box.setAttribute("role", "tooltip");
  let open = null, wanted = null, timer;

  const hide = () => {
    clearTimeout(timer);
    open?.removeAttribute("aria-describedby");
    open = wanted = null;
    box.remove();
  };
  const show = async (link) => {
    wanted = link;
    const text = (await loaded())[link.hash.slice(1)];
    if (wanted !== link || !text || open === link) return;
    hide();
    box.innerHTML = text;
    link.after(box);
    const line = link.getClientRects()[0], origin = box.offsetParent.getBoundingClientRect();
    const most = document.documentElement.clientWidth - box.offsetWidth - 8;
    box.style.left = `${Math.max(8, Math.min(line.left, most)) - origin.left}px`;
    const below = line.bottom + box.offsetHeight + 8 < innerHeight || line.top < box.offsetHeight;
    box.style.top = `${(below ? line.bottom : line.top - box.offsetHeight) - origin.top}px`;
    link.setAttribute("aria-describedby", box.id);
    open = wanted = link;
  };
  const later = (action, wait) => {
    clearTimeout(timer);
    timer = setTimeout(action, wait);
  };

  document.addEventListener("pointerover", ({ target, pointerType }) => {
    const link = target.closest?.(links);
    if (pointerType !== "touch" && link) later(() => show(link), 150);
    else if (box.contains(target)) clearTimeout(timer);
    else if (open !== document.activeElement) later(hide, 250);
  });
  document.addEventListener("focusin", ({ target }) => {
    const link = target.closest?.(links);
    if (link?.matches(":focus-visible")) show(link);
    else if (!box.contains(target)) hide();
  });
  document.addEventListener("focusout", hide);
  document.addEventListener("keydown", ({ key }) => key === "Escape" && hide());
})();
