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
  const div = (...parts) => make("div", ...parts);
  const bar = (p, name) => set(make("i", name), { style: "--p:" + p / 100 });
  const share = (p) => (p > 0 && p < 1 ? "<0.01" : (p / 100).toFixed(2));
  // those that show nothing: padding, parts of characters
  const bare = words.map((w) => !w);
  words = words.map((w) => w ?? "◔");
  // of a mask: nothing
  const lead = (w) => /^ */.exec(words[w])[0];
  const body = (w) => (w < 0 ? "▒" : words[w].slice(lead(w).length) || (words[w] ? "␣" : "∅"));
  // what is drawn onto the character before it is given one to be drawn onto
  const name = (w) => body(w).replace(/^[\p{M}\u200d]/u, "◌$&");
  const count = (n) => n + (n === 1 ? " step" : " steps");
  const quote = (w) => "“" + name(w) + "”";
  // of what was written in a step, the four least sure, in the order of the text
  const doubts = (p) => {
    const order = [...p.keys()].sort((a, b) => p[a] - p[b]);
    return order.slice(0, 4).sort((a, b) => a - b);
  };

  for (const film of films) {
    // frames[k]: the text after step k, and for each position the step that wrote it (0: given)
    let text = film.start, when = text.map(() => 0);
    film.frames = [{ text, when }];
    film.steps.forEach(([length, set, changed], k) => {
      text = text.slice(0, length);
      when = Array.from({ length }, (_, at) => when[at] ?? 0);
      for (const [at, word] of set) text[at] = word;
      for (const at of changed) when[at] = k + 1;
      film.frames.push({ text, when });
    });
    film.end = film.steps.length;
    const order = when.filter(Boolean);
    // is the order worth numbering?
    film.ordered = film.end < 100 && order.some((n, i) => n < order[i - 1]);
  }
  const last = Math.max(...films.map((film) => film.end));

  function drawText(film, k, go) {
    const { text, when } = film.frames[Math.min(k, film.end)];
    const step = film.steps[k - 1];
    const long = film.frames[film.end].text.length > 80 ? " ott-long" : "";
    const box = set(div("ott-text" + long), { dir: "auto" });
    let before = false;
    text.forEach((word, at) => {
      const i = step?.[2].indexOf(at) ?? -1;
      if (bare[word] && i < 0) return;
      if (before) box.append(film.joiner, lead(word));
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

  function tell(film, k) {
    if (k > film.end) return "finished after " + count(film.end);
    if (k < 1) return "nothing written yet";
    const [, , changed, p, , note] = film.steps[k - 1];
    const undo = film.frames[k].text[changed[0]] < 0;
    const { text } = film.frames[k - undo];
    const all = doubts(p).map((i) => quote(text[changed[i]]) + " (" + share(p[i]) + ")");
    if (p.length > 4) all.push("and " + (p.length - 4) + " surer");
    return (undo ? "took back " : "wrote ") + (all.join(", ") || "nothing") + (note ? " · " + note : "");
  }

  function drawStep(film, k) {
    const choices = div("ott-choices"), box = div("", make("p", "", tell(film, k)), choices);
    if (!film.steps[k - 1]) return box;
    const [, , changed, p, others] = film.steps[k - 1];
    // rivals shown for each token: a step that wrote many has a row for each, and no room for more
    const room = { 1: 9, 2: 1 }[changed.length];
    for (const i of doubts(p)) {
      const own = film.frames[k].text[changed[i]];
      const rivals = (others[i] || []).filter(([word]) => word !== own).slice(0, room || 0);
      const rows = [[own, p[i]], ...rivals].sort((a, b) => b[1] - a[1]);
      const list = make("ol");
      for (const [word, q] of rows) {
        const shown = make("b", "", name(word));
        if (lead(word)) shown.prepend(make("span", "ott-lead", "␣"));
        list.append(make("li", word === own ? "ott-taken" : "", shown, bar(q), make("em", "", share(q))));
      }
      choices.append(list);
    }
    return box;
  }

  function icon(path) {
    return document.createRange().createContextualFragment(
      `<svg viewBox="0 0 24 24" aria-hidden="true"><path d="${path}"/></svg>`,
    );
  }

  function start(root) {
    root.classList.add("ott-live");
    let now = 0, timer = 0, wide;
    const stage = set(div("ott-films ott-stage"), {
      tabindex: 0,
      role: "group",
      "aria-label": root.querySelector(".ott-title").textContent + ". Arrow keys step, space plays.",
    });
    const panels = div("ott-panels");
    const track = set(div("ott-track"), { style: "--last:" + last });
    const said = set(div("ott-alt"), { "aria-live": "polite" });

    const views = films.map((film) => {
      const place = make("span");
      const text = div("ott-stack"), panel = div("ott-stack");
      const frame = div("ott-film", div("ott-name", film.label, place), text);
      const bars = div("ott-bars");
      for (let k = 0; k <= last; k++) {
        const p = film.steps[k - 1]?.[3] || [];
        bars.append(bar(p.reduce((a, b) => a + b, 0) / p.length, p.length ? "" : "ott-none"));
      }
      for (const part of [frame, panel, bars]) part.classList.add("ott-" + film.kind);
      stage.append(frame);
      panels.append(panel);
      track.append(bars);
      return { film, text, panel, place, bars };
    });

    const head = div("ott-head");
    const slider = set(make("input"), { type: "range", max: last, "aria-label": "Step" });
    track.append(head, slider);
    const legend = div("ott-legend", make("span", "", "bars: how sure it was, step by step"));
    if (films.some((film) => film.ordered)) legend.append("small numbers: the step that wrote it");

    const button = (label, path, onclick) =>
      Object.assign(make("button", "", icon(path)), {
        ariaLabel: label,
        title: label,
        onclick,
      });
    const first = button("First step", "M6 6v12M18 6l-7 6 7 6", () => go(0));
    const back = button("Step back", "M15 5l-7 7 7 7", () => go(now - 1));
    const play = button("Play", "", () => (timer ? pause() : run()));
    play.className = "ott-play";
    const forward = button("Step forward", "M9 5l7 7-7 7", () => go(now + 1));
    const end = button("Last step", "M18 6v12M6 6l7 6-7 6", () => go(last));
    const speed = make("select");
    for (const times of [0.5, 1, 2, 4]) speed.append(new Option(times + "×", times, false, times === 1));
    const pace = make("label", "", make("span", "", "Speed"), speed);
    const controls = div("ott-bar", first, back, play, forward, end, pace);

    const strips = [...root.querySelectorAll(".ott-strip")];
    const fold = make("details", "", make("summary", "", "All " + count(last)));
    root.querySelector(".ott-hint").remove();
    root.append(stage, track, legend, controls, panels, said, fold);
    fold.append(...strips);
    const rows = strips.flatMap((strip) => [...strip.tBodies[0].rows]);
    for (const row of rows) row.onclick = () => go(row.sectionRowIndex);

    function go(k, playing) {
      if (!playing) pause();
      if (wide && wide !== stage.clientWidth) fit();
      const step = (now = Math.max(0, Math.min(last, k)));
      for (const { film, text, panel, place, bars } of views) {
        text.replaceChildren(drawText(film, step, go));
        panel.replaceChildren(drawStep(film, step));
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
      for (const row of rows) row.ariaCurrent = row.sectionRowIndex === step ? "step" : null;
    }
    // The page does not jump: each box is as high as the highest of what it will show at this width.
    // All that might be is in it for a moment: of a text that grows, the whole; of what is said of the
    // steps, the longest few.
    function fit() {
      wide = stage.clientWidth;
      const tried = views.flatMap(({ film, text, panel }) => {
        const { frames, end } = film, full = frames[end].text.length;
        const whole = (frame, k) => (frame.text.length < full ? [] : drawText(film, k));
        const steps = frames.map((_, k) => drawStep(film, k));
        steps.sort((a, b) => b.textContent.length - a.textContent.length);
        return [[text, frames.flatMap(whole)], [panel, steps.slice(0, 5)]];
      });
      for (const [box, states] of tried) {
        box.style.minHeight = "";
        box.append(...states);
      }
      // it is rounded
      const heights = tried.map(([box]) => box.offsetHeight + 1);
      tried.forEach(([box], i) => (box.style.minHeight = heights[i] + "px"));
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
      const tick = () => {
        go(now + 1, true);
        if (now === last || !root.isConnected) pause();
        else timer = setTimeout(tick, Math.max(120, Math.min(900, 14000 / last)) / speed.value);
      };
      timer = setTimeout(tick, 250);
    }

    slider.oninput = () => go(+slider.value);
    const scrub = ({ offsetX }) => go(Math.floor((offsetX / track.clientWidth) * (last + 1)));
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
    // As soon as the page has time for it, or nothing would stay where it is under a hand that is quick;
    // what is folded away then, when it comes near.
    const ready = () => stage.clientWidth && go(now, (wide ||= 1));
    (window.requestIdleCallback ?? setTimeout)(ready);
    new IntersectionObserver(([entry]) => entry.isIntersecting && ready(), { rootMargin: "50%" }).observe(stage);
    window.addEventListener("beforeprint", () => (fold.open = true));
    // Among knobs one compares outcomes, so there a player opens on its last step. Else on the first
    // by which each has written something: before it there would be nothing to see but empty panels.
    const begun = ({ steps }) => 1 + steps.findIndex((step) => step[2].length);
    go(root.closest(".ott-knobs") ? last : Math.max(...films.map(begun)));
  }

  for (const root of document.querySelectorAll('[id="' + id + '"]:not(.ott-live)')) start(root);
};
