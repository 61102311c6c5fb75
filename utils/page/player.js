// Makes a player of each film-strip that has this id. The strip stays, folded away.
// words: the tokens' texts; a word is its place in that list, -1 is a mask. The text null is that
// of a part of a character, which another token shows.
// films: {kind, label, joiner, start, steps}. start is a text, a list of words. A step is
// [length, [[position, word], …] that differ from before, [positions written], [hundredths of
// probability], [[[word, hundredths], …], …] the roads not taken, note].
// Text only ever reaches the page as text nodes, so no token can be taken for markup.
window.oneTokenPlayer = (id, words, films) => {
  const set = (element, attributes) => {
    for (const name in attributes) element.setAttribute(name, attributes[name]);
    return element;
  };
  const make = (tag, name, ...inside) => {
    const element = document.createElement(tag);
    if (name) element.className = name;
    element.append(...inside);
    return element;
  };
  const bar = (p, name) => set(make("i", name), { style: "--p:" + p / 100 });
  const share = (p) => (p > 0 && p < 1 ? "<0.01" : (p / 100).toFixed(2));
  // those that show nothing: padding, parts of characters
  const bare = words.map((w) => !w);
  words = words.map((w) => w ?? "◔");
  const lead = (w) => /^ */.exec(words[w])[0];
  const body = (w) => (w < 0 ? "▒" : words[w].slice(lead(w).length) || (words[w] ? "␣" : "∅"));
  // what is drawn onto the character before it is given one to be drawn onto
  const name = (w) => body(w).replace(/^[\p{M}\u200d]/u, "◌$&");
  const count = (n) => n + (n === 1 ? " step" : " steps");
  const quote = (w) => "“" + name(w) + "”";

  for (const film of films) {
    // frames[k]: the text after step k, and for each position the step that wrote it (0: given)
    let text = film.start, when = text.map(() => 0);
    film.frames = [{ text, when }];
    film.steps.forEach(([length, set, changed], k) => {
      text = text.slice(0, length);
      when = when.slice(0, length);
      for (const [at, word] of set) text[at] = word;
      for (let at = 0; at < length; at++) when[at] ??= 0;
      for (const at of changed) when[at] = k + 1;
      film.frames.push({ text, when });
    });
    film.end = film.steps.length;
    const order = film.frames[film.end].when.filter(Boolean);
    // is the order worth numbering?
    film.ordered = film.end < 100 && order.some((n, i) => n < order[i - 1]);
  }
  const last = Math.max(...films.map((film) => film.end));

  function drawText(film, k, go) {
    const { text, when } = film.frames[Math.min(k, film.end)];
    const step = film.steps[k - 1];
    const long = film.frames[film.end].text.length > 80 ? " ott-long" : "";
    const box = set(make("div", "ott-text" + long), { dir: "auto" });
    let before = false;
    text.forEach((word, at) => {
      const i = step ? step[2].indexOf(at) : -1;
      if (bare[word] && i < 0) return;
      if (before) box.append(film.joiner);
      if (before && word >= 0) box.append(lead(word));
      before = true;
      const token = make("span", word < 0 ? "ott-mask" : when[at] ? "ott-past" : "ott-given", body(word));
      if (i >= 0) {
        token.className = "ott-now" + (word < 0 ? " ott-mask" : "");
        token.dataset.p = share(step[3][i]);
      } else if (word >= 0 && when[at]) {
        token.title = "written at step " + when[at];
        token.onclick = () => go(when[at]);
        if (film.ordered) token.dataset.n = when[at];
      }
      box.append(token);
      if (word >= 0 && words[word].includes("⏎")) box.append(make("br"));
    });
    if (film.kind === "ar" && k < film.end) box.append(make("span", "ott-caret"));
    return box;
  }

  function drawChoices(film, k) {
    const box = make("div", "ott-choices");
    if (k < 1 || k > film.end) return box;
    const [, , changed, p, others] = film.steps[k - 1];
    const { text } = film.frames[k];
    // rivals shown for each token
    const room = changed.length > 6 ? 0 : changed.length > 1 ? 1 : 9;
    changed.slice(0, 12).forEach((at, i) => {
      const rivals = (others[i] || []).filter(([word]) => word !== text[at]).slice(0, room);
      const rows = [[text[at], p[i], true], ...rivals].sort((a, b) => b[1] - a[1]);
      const list = make("ol");
      for (const [word, q, taken] of rows) {
        const shown = make("b", "", name(word));
        if (word >= 0 && lead(word)) shown.prepend(make("span", "ott-lead", "␣"));
        list.append(make("li", taken ? "ott-taken" : "", shown, bar(q), make("em", "", share(q))));
      }
      box.append(list);
    });
    return box;
  }

  function tell(film, k) {
    if (k > film.end) return "finished after " + count(film.end);
    if (k < 1) return "nothing written yet";
    const [, , changed, p, , note] = film.steps[k - 1];
    const undo = film.frames[k].text[changed[0]] < 0;
    const { text } = film.frames[undo ? k - 1 : k];
    const all = changed.map((at, i) => quote(text[at]) + " (" + share(p[i]) + ")");
    if (all.length > 4) all.splice(3, all.length, "and " + (all.length - 3) + " more");
    return (undo ? "took back " : "wrote ") + (all.join(", ") || "nothing") + (note ? " · " + note : "");
  }

  function icon(path) {
    const shape = (tag) => document.createElementNS("http://www.w3.org/2000/svg", tag);
    const svg = set(shape("svg"), { viewBox: "0 0 24 24", "aria-hidden": true });
    svg.append(set(shape("path"), { d: path }));
    return svg;
  }

  function start(root) {
    root.classList.add("ott-live");
    let now = 0, timer = 0;
    const title = root.querySelector(".ott-title").textContent;

    const stage = make("div", "ott-films ott-stage");
    set(stage, { tabindex: 0, role: "group", "aria-label": title + ". Arrow keys step, space plays." });
    const panels = make("div", "ott-panels");
    const track = make("div", "ott-track");
    track.style.setProperty("--gap", last > 150 ? "0px" : last > 60 ? "1px" : "2px");
    const said = set(make("div", "ott-alt"), { "aria-live": "polite" });

    const views = films.map((film) => {
      const text = make("div", "ott-stack"), choices = make("div", "ott-stack");
      const place = make("span"), told = make("p");
      const frame = make("div", "ott-film", make("div", "ott-name", film.label, place), text);
      const panel = make("div", "", told, choices);
      // Invisible copies of the tallest states keep the page from jumping while it plays.
      const all = film.steps.map((_, k) => drawChoices(film, k + 1));
      const rows = (box) => box.querySelectorAll("li").length;
      text.append(drawText(film, 0), drawText(film, film.end));
      choices.append(all.reduce((a, b) => (rows(b) > rows(a) ? b : a)));
      for (const ghost of [...text.children, ...choices.children]) {
        set(ghost, { class: ghost.className + " ott-ghost", "aria-hidden": true });
      }
      const bars = make("div", "ott-bars");
      for (let k = 0; k <= last; k++) {
        const p = k && k <= film.end ? film.steps[k - 1][3] : [];
        bars.append(bar(p.reduce((a, b) => a + b, 0) / p.length, p.length ? "" : "ott-none"));
      }
      for (const part of [frame, panel, bars]) part.classList.add("ott-" + film.kind);
      stage.append(frame);
      panels.append(panel);
      track.append(bars);
      return { film, text, choices, place, told, bars };
    });

    const head = make("div", "ott-head");
    const slider = set(make("input"), { type: "range", min: 0, max: last, "aria-label": "Step" });
    track.append(head, slider);
    const legend = make("div", "ott-legend", make("span", "", "bars: how sure it was, step by step"));
    if (films.some((film) => film.ordered)) legend.append("small numbers: the step that wrote it");

    const button = (label, path, act) => {
      const b = set(make("button", "", icon(path)), { type: "button", "aria-label": label, title: label });
      b.onclick = act;
      return b;
    };
    const first = button("First step", "M6 6v12M18 6l-7 6 7 6", () => go(0));
    const back = button("Step back", "M15 5l-7 7 7 7", () => go(now - 1));
    const play = button("Play", "", () => (timer ? pause() : run()));
    play.className = "ott-play";
    const forward = button("Step forward", "M9 5l7 7-7 7", () => go(now + 1));
    const end = button("Last step", "M18 6v12M6 6l7 6-7 6", () => go(last));
    const speed = make("select");
    for (const times of [0.5, 1, 2, 4]) speed.append(new Option(times + "×", times));
    speed.value = 1;
    const pace = make("label", "", make("span", "", "Speed"), speed);
    const controls = make("div", "ott-bar", first, back, play, forward, end, pace);

    const strips = [...root.querySelectorAll(".ott-strip")];
    const fold = make("details", "", make("summary", "", "All " + count(last)));
    root.querySelector(".ott-hint")?.remove();
    root.append(stage, track, legend, controls, panels, said, fold);
    fold.append(...strips);
    const rows = strips.map((strip) => [...strip.tBodies[0].rows]);
    rows.forEach((list) => list.forEach((row, k) => (row.onclick = () => go(k))));

    function go(k, playing) {
      if (!playing) pause();
      const step = (now = Math.max(0, Math.min(last, k)));
      for (const { film, text, choices, place, told, bars } of views) {
        for (const box of [text, choices]) box.querySelector(":scope > :not(.ott-ghost)")?.remove();
        text.append(drawText(film, step, go));
        choices.append(drawChoices(film, step));
        told.textContent = tell(film, step);
        place.textContent = "step " + Math.min(step, film.end) + " of " + film.end;
        [...bars.children].forEach((b, k) => b.classList.toggle("ott-done", k <= step));
      }
      head.style.left = ((step + 0.5) / (last + 1)) * 100 + "%";
      slider.value = step;
      slider.ariaValueText = "step " + step + " of " + last;
      const tale = (film) => (film.label || "Step " + step) + ": " + tell(film, step);
      said.textContent = films.map(tale).join("; ");
      first.ariaDisabled = back.ariaDisabled = step === 0;
      forward.ariaDisabled = end.ariaDisabled = step === last;
      for (const list of rows) list.forEach((row, k) => (row.ariaCurrent = k === step ? "step" : null));
    }
    function face(label, path) {
      play.replaceChildren(icon(path), make("span", "", label));
      play.title = play.ariaLabel = label;
    }
    function pause() {
      clearTimeout(timer);
      timer = 0;
      face("Play", "M8 5v14l11-7z");
    }
    function run() {
      if (now === last) go(0);
      face("Pause", "M7 5h3v14H7zM14 5h3v14h-3z");
      const wait = () => Math.max(120, Math.min(900, 14000 / last)) / speed.value;
      const tick = () => {
        go(now + 1, true);
        if (now === last || !root.isConnected) pause();
        else timer = setTimeout(tick, wait());
      };
      timer = setTimeout(tick, 250);
    }

    slider.oninput = () => go(+slider.value);
    const scrub = (event) => {
      const box = track.getBoundingClientRect();
      go(Math.floor(((event.clientX - box.left) / box.width) * (last + 1)));
    };
    track.onpointerdown = (event) => {
      track.setPointerCapture(event.pointerId);
      scrub(event);
    };
    track.onpointermove = (event) => event.buttons && scrub(event);
    root.onkeydown = (event) => {
      const { key, target } = event;
      if (event.altKey || event.ctrlKey || event.metaKey || key === "Escape") return;
      // or JupyterLab would take the arrows for its cells
      event.stopPropagation();
      if (target.closest(key === " " ? "select,summary,button" : "select")) return;
      const to = { ArrowRight: now + 1, ArrowLeft: now - 1, Home: 0, End: last }[key];
      if (key === " ") play.click();
      else if (to === undefined) return;
      else go(to);
      event.preventDefault();
    };
    window.addEventListener("beforeprint", () => (fold.open = true));
    // Among knobs one compares outcomes, so there a player opens on its last step. Else on the first
    // by which each has written something: before it there would be nothing to see but empty panels.
    const begun = ({ steps }) => 1 + steps.findIndex((step) => step[2].length);
    go(root.closest(".ott-knobs") ? last : Math.max(...films.map(begun)));
  }

  for (const root of document.querySelectorAll('[id="' + id + '"]:not(.ott-live)')) start(root);
};
