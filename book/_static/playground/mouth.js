// The landing page: put a word into their mouths. The models come with the first touch.
(() => {
  "use strict";
  const { oneToken } = window;
  const root = document.getElementById("mouth");
  const said = root.querySelector(".pg-said");
  const QUESTION = "is 1 + 1 = 2 ?".split(" "), LENGTH = 16;
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  const lanes = [...root.querySelectorAll(".pg-lane")].map((element) => ({
    name: element.querySelector(".pg-name").textContent,
    mayReturn: element.querySelector("input"),
    words: element.querySelector(".pg-words"),
    verdict: element.querySelector(".pg-verdict"),
    ...element.dataset,
  }));
  let playing = 0; // which play this is; an older one stops

  const models = () => Promise.all(lanes.map(({ model }) => oneToken.load(model)));
  root.addEventListener("pointerdown", () => models().catch(() => {}), { once: true });

  async function play(word) {
    const mine = ++playing;
    for (const button of root.querySelectorAll("[data-word]")) {
      button.setAttribute("aria-pressed", String(button.dataset.word === word));
    }
    const tell = (text) => lanes.forEach(({ verdict }) => (verdict.textContent = text));
    if (!lanes[0].read) tell("The models are on their way: 1.1 MB.");
    let loaded;
    try {
      loaded = await models();
    } catch (error) {
      said.textContent = `The models did not arrive: ${error.message}.`;
      return tell(said.textContent);
    }
    const { tokens } = loaded[0], blank = tokens.indexOf("<mask>"), given = QUESTION.length;
    const begun = [...QUESTION, word].map((each) => tokens.indexOf(each));
    const text = Array.from({ length: LENGTH }, (_, i) => begun[i] ?? blank);
    const options = { free: [...text.keys()].slice(given), rounds: 3 };
    const runs = lanes.map((lane, i) => {
      lane.read ??= oneToken.reader(loaded[i]);
      return oneToken.run(lane.read, text, blank, lane.mayReturn.checked ? lane.again : lane.way, options);
    });
    const last = (step) => !runs.some((run) => run.has(step + 1));
    let step = 0;
    if (still.matches) while (!last(step)) step++;
    for (; mine === playing; step++) {
      lanes.forEach((lane, i) => {
        const now = runs[i].at(step), said = lane.read(now.text);
        oneToken.show(lane.words, { step: now, said, tokens, blank, given, begun: text });
        lane.verdict.textContent = runs[i].has(step + 1) ? "" : oneToken.judge(now.text, tokens);
      });
      if (last(step)) break;
      const wait = new Promise((resolve) => setTimeout(resolve, 600));
      await Promise.all([wait, ...runs.map((run) => run.ready(step + 2))]);
    }
    if (mine !== playing) return;
    said.textContent = lanes
      .map(({ name, verdict }, i) => {
        const answer = runs[i].at(step).text.slice(given).map((token) => tokens[token]).join(" ");
        return `${name}: “${answer}” ${verdict.textContent}`;
      })
      .join(" ");
  }

  root.addEventListener("click", (event) => {
    const { word } = event.target.closest("button")?.dataset ?? {};
    if (word) play(word);
  });
  const again = () => play(root.querySelector("[aria-pressed=true]").dataset.word);
  root.addEventListener("change", again);
  // changed before this script was there
  if (lanes.some(({ mayReturn }) => mayReturn.checked !== mayReturn.defaultChecked)) again();
})();
