// The playground: one text, two models, and the reader's hands on it.
(() => {
  "use strict";
  const { oneToken } = window, { make } = oneToken;
  const root = document.getElementById("pg");
  const find = (selector, from = root) => from.querySelector(selector);
  const QUESTION = 7, LENGTH = 16; // "is 1 + 1 = 2 ?", and the answer's nine words
  const OWN = "A text of your own. Guess first; then step.";
  const OPTIONS = { free: Array.from({ length: LENGTH - QUESTION }, (_, i) => QUESTION + i), rounds: 3 };

  const SCENES = {
    no: {
      name: "“No, 1 + 1 …”",
      text: "is 1 + 1 = 2 ? no",
      ways: ["left", "doubt"],
      about: "You have put a wrong word into both their mouths. What will each of them write after it?",
    },
    stays: {
      name: "No way back",
      text: "is 1 + 1 = 2 ? no",
      ways: ["left", "surest"],
      about: "The same word, and the model that fills blanks may not take anything back. Does seeing both sides help it?",
    },
    back: {
      name: "Both go back",
      text: "is 1 + 1 = 2 ? no",
      ways: ["back", "doubt"],
      about: "Now the model that writes left to right may go back to its weakest word as well. Which of the two needs more passes?",
    },
    slip: {
      name: "A slip",
      text: "is 2 + 9 = 11 ? yes , because 2 + 9 = 12 .",
      ways: ["back", "doubt"],
      about: "A whole answer, with one wrong number. Do they find it?",
    },
    question: {
      name: "Left alone",
      text: "is 7 + 8 = 16 ?",
      ways: ["left", "surest"],
      about: "Nobody interferes. In which order will the blanks be filled, and where is the sum decided?",
    },
    once: {
      name: "Several at once",
      text: "is 14 + 17 = 31 ?",
      ways: ["left", "threshold"],
      about: "Each pass fills every blank that is sure enough. Guess how many passes nine words take, and why they fit together.",
    },
    learning: {
      name: "As they learn",
      text: "is 9 + 4 = 13 ?",
      ways: ["left", "surest"],
      after: "20",
      about: "Two smaller models, early in their training. Move the slider: which comes first, the form of an answer, the verdict, or the sum?",
    },
  };

  const lanes = [...root.querySelectorAll(".pg-lane")].map((element) => ({
    element,
    name: find(".pg-name", element).textContent,
    select: find("select", element),
    words: find(".pg-words", element),
    causal: element.classList.contains("pg-ar"),
  }));
  const draftRow = find(".pg-draft .pg-words"), said = find(".pg-said");
  const editor = find(".pg-editor"), form = find("form"), threshold = find(".pg-threshold input");
  const slider = find(".pg-learned input"), MOMENTS = slider.dataset.steps.split(" ");
  let tokens, blank; // the vocabulary, and the id of what is not written
  let draft = [], chosen = QUESTION, anchor = QUESTION, step = 0, playing = null;
  const past = []; // drafts, to go back to
  const readers = {}; // of each model that has been asked for

  // ---- the state, and its address -----------------------------------------------------------------
  // #scene=no, or #text=is_1_+_1_=_2_?_no&ar=left&diffusion=doubt&threshold=0.90&after=20&at=7&step=3

  function encode(words) {
    const ids = words.trim().split(/[\s_]+/).map((word) => tokens.indexOf(word));
    const text = Array.from({ length: LENGTH }, (_, i) => (ids[i] >= 0 ? ids[i] : blank));
    if (text.slice(0, QUESTION).includes(blank)) throw new Error("the question must have seven words");
    return text.map((token) => (tokens[token] === "<undo>" ? blank : token));
  }

  function parse(hash) {
    const pairs = hash.replace(/^#/, "").split("&").map((pair) => {
      const at = pair.indexOf("="); // the first: the text has one of its own
      return [pair.slice(0, at), decodeURIComponent(pair.slice(at + 1))];
    });
    return Object.fromEntries(pairs);
  }
  async function restore(hash) {
    let given = {};
    try {
      given = parse(hash);
    } catch {} // no address of ours
    const scene = SCENES[given.scene] ?? (given.text ? {} : SCENES.no);
    try {
      draft = encode(given.text ?? scene.text);
    } catch {
      draft = encode(SCENES.no.text);
    }
    const ways = [given.ar ?? scene.ways?.[0], given.diffusion ?? scene.ways?.[1]];
    lanes.forEach(({ select }, i) => {
      select.value = [...select.options].some(({ value }) => value === ways[i]) ? ways[i] : select.options[0].value;
    });
    threshold.value = given.threshold ?? 0.9;
    const number = (text, least, most) => Math.min(most, Math.max(least, parseInt(text) || least));
    chosen = anchor = given.at ? number(given.at, 1, LENGTH - 1) : QUESTION;
    const moment = MOMENTS.indexOf(given.after ?? scene.after);
    const came = await learn(moment < 0 ? MOMENTS.length : moment);
    begin(number(given.step, 0, 99));
    if (came) say("");
  }

  function address() {
    const text = draft.map((token) => (token === blank ? "~" : tokens[token])).join("_").replace(/(_~)+$/, "");
    const [ar, diffusion] = lanes.map(({ select }) => select.value);
    const level = diffusion === "threshold" ? `&threshold=${threshold.value}` : "";
    const after = MOMENTS[slider.value] ? `&after=${MOMENTS[slider.value]}` : "";
    return `#text=${text}&ar=${ar}&diffusion=${diffusion}${level}${after}&at=${chosen}&step=${step}`;
  }

  // Give the lanes the models of a moment: a smaller pair in training, or, after its last, the chapters'
  // own. Each is fetched when it is first asked for. Whether they came, and are still wanted.
  async function learn(moment) {
    slider.value = moment;
    const steps = MOMENTS[moment];
    const names = lanes.map(({ element: { dataset } }) => (steps ? dataset.small + steps : dataset.model));
    try {
      const models = await Promise.all(names.map(oneToken.load));
      for (const [i, name] of names.entries()) {
        if (readers[name]) continue;
        readers[name] = oneToken.reader(models[i]);
        readers[name](draft); // it is kept; and the first pass of a model is its slowest
        await new Promise((resolve) => setTimeout(resolve));
      }
      if (Number(slider.value) !== moment) return false;
      lanes.forEach((lane, i) => Object.assign(lane, { read: readers[names[i]], results: models[i].results }));
      return true;
    } catch (error) {
      say(`These models did not arrive: ${error.message}.`);
      return false;
    }
  }

  // Both lanes start from the draft.
  function begin(at = 0) {
    pause();
    const options = { ...OPTIONS, threshold: Number(threshold.value) };
    for (const lane of lanes) lane.run = oneToken.run(lane.read, draft, blank, lane.select.value, options);
    step = 0;
    while (step < at && more()) step++;
    show();
  }
  const more = () => lanes.some(({ run }) => run.has(step + 1));

  // ---- what is on the page ------------------------------------------------------------------------

  function show() {
    showDraft();
    for (const lane of lanes) {
      const now = lane.run.at(step), ended = !lane.run.has(step + 1);
      const shown = { step: lane.run.has(step) ? now : { ...now, changed: [] }, said: lane.read(now.text) };
      oneToken.show(lane.words, { ...shown, tokens, blank, given: QUESTION, begun: draft, chosen });
      const [verdicts, sums] = [lane.results.right_verdicts, lane.results.right_sums].map((share) => `${Math.floor(1000 * share) / 10}%`);
      find(".pg-results", lane.element).textContent = `New questions: verdict ${verdicts}, sum ${sums}`;
      const passes = `${now.passes} forward pass${now.passes === 1 ? "" : "es"}`;
      find(".pg-count", lane.element).textContent = passes + (ended ? ", finished" : "");
      find(".pg-verdict", lane.element).textContent = ended ? oneToken.judge(now.text, tokens) : "";
    }
    const steps = Number(MOMENTS[slider.value]).toLocaleString("en"), all = Number(MOMENTS.at(-1)).toLocaleString("en");
    const moment = MOMENTS[slider.value] ? `a smaller pair, after ${steps} of ${all} steps` : "the chapters’ models, fully trained";
    find(".pg-learned output").textContent = moment;
    slider.setAttribute("aria-valuetext", moment);
    find(".pg-threshold").hidden = lanes[1].select.value !== "threshold";
    find(".pg-threshold output").textContent = Number(threshold.value).toFixed(2);
    const same = Object.values(SCENES).find(
      ({ text, ways }) => encode(text).join() === draft.join() && lanes.every(({ select }, i) => select.value === ways[i]),
    );
    const about = same?.about ?? OWN;
    if (find(".pg-about").textContent !== about) find(".pg-about").textContent = about; // is read aloud
    find(".pg-scenes").childNodes.forEach((button) => {
      button.setAttribute("aria-pressed", String(SCENES[button.dataset.scene] === same));
    });
    for (const [name, off] of [["start", !step], ["backward", !step], ["forward", !more()], ["end", !more()], ["undo", !past.length]]) {
      find(`[data-do=${name}]`).setAttribute("aria-disabled", String(off));
    }
    showRoads();
    history.replaceState(null, "", address());
  }

  // The draft is a row of buttons, of which Tab reaches one and the arrows the others.
  function showDraft() {
    const [from, to] = span(), focused = draftRow.contains(document.activeElement);
    if (!draftRow.childElementCount) {
      for (const i of draft.keys()) {
        if (i === QUESTION) draftRow.append(make("span", { class: "pg-break" }));
        draftRow.append(make("button", { type: "button", "data-at": i }));
      }
    }
    buttons().forEach((button, i) => {
      const empty = draft[i] === blank, word = empty ? "blank" : tokens[draft[i]];
      button.textContent = empty ? "" : word;
      button.className = `pg-word${i < QUESTION ? " pg-given" : empty ? " pg-blank" : " pg-yours"}`;
      button.classList.toggle("pg-chosen", i >= from && i <= to);
      button.setAttribute("aria-label", `${word}, word ${i + 1} of ${LENGTH}`);
      button.setAttribute("aria-pressed", String(i >= from && i <= to));
      button.tabIndex = i === chosen ? 0 : -1;
    });
    if (focused) buttons()[chosen].focus();
  }
  const buttons = () => draftRow.querySelectorAll("button");
  const span = () => [Math.min(anchor, chosen), Math.max(anchor, chosen)];

  // What each model would write in the chosen place, as its text stands now. It takes passes, so the
  // models are asked when it is unfolded.
  function showRoads() {
    const word = draft[chosen] === blank ? "a blank" : `“${tokens[draft[chosen]]}”`;
    find("summary").textContent = `Word ${chosen + 1}, ${word}: change it, or see the roads not taken`;
    if (!editor.open) return;
    for (const lane of lanes) {
      const now = lane.run.at(step).text, place = find(`.pg-editor .${lane.causal ? "pg-ar" : "pg-diffusion"}`);
      const row = lane.causal ? lane.read(now)[chosen] : oneToken.leftOut(lane.read, now, chosen, blank);
      const here = now[chosen] === blank ? "" : ` It has “${tokens[now[chosen]]}”.`;
      const sight = lane.causal ? "after all that stands before" : "seeing all the other words";
      const blind = "It reads only what stands before, where a blank is left: it has nothing to say here yet.";
      find(".pg-asked", place).textContent = row ? `${lane.name}, ${sight}.${here}` : blind;
      const best = row ? [...row.keys()].filter((id) => id !== blank).sort((x, y) => row[y] - row[x]).slice(0, 4) : [];
      find("ol", place).setAttribute("aria-label", `Words to put here instead, as likely as: ${lane.name}`);
      find("ol", place).replaceChildren(
        ...best.map((id) => {
          const button = make("button", { type: "button", "data-word": id }, make("span", {}, tokens[id]), " ", make("i"), make("b", {}, oneToken.odds(row[id])));
          button.style.setProperty("--p", row[id]);
          button.classList.toggle("pg-taken", id === now[chosen]);
          return make("li", {}, button);
        }),
      );
    }
  }

  const say = (text) => (said.textContent = text);

  // ---- the reader's hands -------------------------------------------------------------------------

  function change(text, told) {
    past.push(draft);
    draft = text;
    begin();
    say(told);
  }
  function put(id) {
    if (id === blank) return wipe(chosen, chosen);
    change(draft.map((token, i) => (i === chosen ? id : token)), `Word ${chosen + 1} is “${tokens[id]}” now. Both begin again.`);
  }
  function wipe(from, to) {
    if (to < QUESTION) return say("The question stays: neither model has ever seen a blank in one.");
    from = Math.max(from, QUESTION);
    const which = from === to ? `Word ${from + 1} is` : `Words ${from + 1} to ${to + 1} are`;
    change(draft.map((token, i) => (i >= from && i <= to ? blank : token)), `${which} blank now. Both begin again.`);
  }
  function choose(at, extend = false) {
    chosen = Math.min(LENGTH - 1, Math.max(0, at));
    if (!extend) anchor = chosen;
    show();
  }
  function go(to) {
    step = to;
    show();
    if (!step) return say("At the start.");
    const steps = lanes.map(({ name, run }) => {
      const did = run.has(step) ? oneToken.tell(run.at(step), tokens) : "has finished";
      return `${name} ${did}.`;
    });
    if (!playing) say(`Step ${step}. ${steps.join(" ")}${more() ? "" : " " + outcome()}`);
  }
  const outcome = () =>
    lanes.map(({ name, run }) => {
      const { text } = run.at(step), answer = text.slice(QUESTION).map((token) => tokens[token]).join(" ");
      return `${name} ends with “${answer}” ${oneToken.judge(text, tokens)}`;
    }).join(" ");

  function pause() {
    clearInterval(playing);
    playing = null;
    find("[data-do=play]").textContent = "Play";
  }
  const actions = {
    start: () => go(0),
    backward: () => step && go(step - 1),
    forward: () => more() && go(step + 1),
    end() {
      while (more()) step++;
      show();
      say(`Step ${step}. ${outcome()}`);
    },
    play() {
      if (playing) return pause();
      if (!more()) go(0);
      let reading = false;
      const mine = setInterval(async () => {
        if (reading) return;
        reading = true;
        await Promise.all(lanes.map(({ run }) => run.ready(step + 2))); // what go() asks for
        reading = false;
        if (mine !== playing) return;
        if (more()) go(step + 1);
        if (more()) return;
        pause();
        say(outcome());
      }, 800);
      playing = mine;
      find("[data-do=play]").textContent = "Pause";
    },
    undo() {
      if (!past.length) return;
      draft = past.pop();
      begin();
      say("Undone.");
    },
    clear: () => wipe(QUESTION, LENGTH - 1),
    blank: () => wipe(...span()),
    rest: () => wipe(span()[0], LENGTH - 1),
    async share() {
      try {
        await navigator.clipboard.writeText(location.href);
        say("Copied: this address opens what you see.");
      } catch {
        say(`This address opens what you see: ${location.href}`);
      }
    },
  };

  function listen() {
    root.addEventListener("click", (event) => {
      const { do: action, scene, word } = event.target.closest("button")?.dataset ?? {};
      if (action) {
        if (action !== "play") pause();
        actions[action]();
      }
      if (scene) {
        past.push(draft);
        restore(`#scene=${scene}`);
      }
      if (word) put(Number(word));
      const place = event.target.closest(".pg-lane .pg-word");
      if (place) {
        const words = place.parentElement, top = words.getBoundingClientRect().top;
        editor.open = true;
        choose(Number(place.dataset.at));
        // the editor stands above: what is under the hand stays there
        scrollBy({ top: words.getBoundingClientRect().top - top, behavior: "instant" });
      }
    });
    draftRow.addEventListener("pointerdown", (event) => {
      const button = event.target.closest("button");
      if (!button) return;
      editor.open = true;
      choose(Number(button.dataset.at), event.shiftKey);
    });
    draftRow.addEventListener("pointermove", (event) => {
      const button = event.buttons && document.elementFromPoint(event.clientX, event.clientY)?.closest("button");
      if (button && draftRow.contains(button)) choose(Number(button.dataset.at), true);
    });
    draftRow.addEventListener("keydown", (event) => {
      if (event.altKey || event.ctrlKey || event.metaKey) return;
      const move = { ArrowLeft: chosen - 1, ArrowRight: chosen + 1, Home: 0, End: LENGTH - 1 }[event.key];
      if (move !== undefined) choose(move, event.shiftKey);
      else if (event.key === "Delete" || event.key === "Backspace") wipe(...span());
      else if (event.key.length === 1 && event.key !== " ") {
        form.word.value = event.key;
        editor.open = true;
        form.word.focus();
      } else if (event.key === "Enter" || event.key === " ") {
        editor.open = true;
        form.word.focus();
      }
      else return;
      event.preventDefault();
    });
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const word = form.word.value.trim().toLowerCase(), id = tokens.indexOf(word);
      if (id < 0 || word.startsWith("<")) return say(`“${word}” is none of their words: 0 to 38, ${tokens.slice(39, 48).join(" ")}`);
      form.word.value = "";
      put(id);
      buttons()[chosen].focus();
    });
    for (const { select } of lanes) select.addEventListener("change", () => (begin(), say("Both begin again.")));
    threshold.addEventListener("input", () => begin(step));
    slider.addEventListener("input", async () => {
      pause();
      if (!(await learn(Number(slider.value)))) return;
      begin(99);
      say(outcome());
    });
    editor.addEventListener("toggle", showRoads);
    addEventListener("hashchange", () => restore(location.hash));
  }

  // ---- once the models are there ------------------------------------------------------------------

  say("The models are on their way: 1.1 MB.");
  Promise.all(lanes.map(({ element }) => oneToken.load(element.dataset.model))).then(
    async ([{ tokens: words }]) => {
      tokens = words;
      blank = tokens.indexOf("<mask>");
      find("datalist").append(...tokens.slice(0, blank).map((word) => new Option(word)));
      find(".pg-scenes").append(
        ...Object.entries(SCENES).map(([key, { name }]) => make("button", { type: "button", "data-scene": key }, name)),
      );
      const abouts = [OWN, ...Object.values(SCENES).map(({ about }) => about)];
      find(".pg-about").dataset.room = abouts.reduce((a, b) => (b.length > a.length ? b : a));
      listen();
      await restore(location.hash);
      delete root.dataset.waiting;
    },
    (error) => say(`The models did not arrive: ${error.message}. Reload the page to try again.`),
  );
})();
