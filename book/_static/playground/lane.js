// One writer on a page: its text as it stands at each step, and what there is to say about it.
(() => {
  "use strict";
  const oneToken = (window.oneToken ??= {});

  // An element: make("p", {class: "name"}, children or texts)
  const make = (oneToken.make = (tag, attributes = {}, ...inside) => {
    const element = document.createElement(tag);
    for (const name in attributes) element.setAttribute(name, attributes[name]);
    element.append(...inside);
    return element;
  });
  oneToken.odds = (p) => (p > 0 && p < 0.005 ? "<0.01" : p.toFixed(2));

  // The steps of a way of writing, taken when they are first asked for.
  oneToken.run = (read, text, blank, way, options) => {
    const steps = [{ text, changed: [], odds: [], written: {}, passes: 0 }];
    const writing = oneToken.ways[way](read, text, blank, options);
    const advance = () => {
      const { value, done } = writing.next();
      if (done || !value) return !done; // it has read, and not written yet
      const written = { ...steps.at(-1).written }; // at which probability each word was written
      value.changed.forEach((i, k) => (written[i] = value.was ? undefined : value.odds[k]));
      return steps.push({ ...value, written });
    };
    const has = (step) => {
      while (steps.length <= step) if (!advance()) return false;
      return true;
    };
    // The same without haste: the page may answer its reader between two passes.
    const ready = async (step) => {
      while (steps.length <= step && advance()) await new Promise((resolve) => setTimeout(resolve));
    };
    return { has, ready, at: (step) => (has(step) ? steps[step] : steps.at(-1)) };
  };

  // Show a step in an element: words with the probability they were written at, or were found to have
  // when the model was asked; blanks with the likeliest word and its probability. given: so many words are the question; begun: the text
  // that the reader began with; chosen: a position to point out.
  oneToken.show = (element, { step, said, tokens, blank, given, begun, chosen }) => {
    const words = step.text.map((token, i) => {
      const row = token === blank && !step.asked?.[i] ? said[i] : null;
      const best = row && row.indexOf(Math.max(...row));
      const word = make("span", { class: "pg-word", "data-at": i }, token === blank ? "" : tokens[token]);
      const kept = token !== blank && token === begun[i] && step.written[i] === undefined;
      if (i < given) word.classList.add("pg-given");
      else if (kept) word.classList.add("pg-yours");
      if (i === chosen) word.classList.add("pg-chosen");
      if (token === blank) {
        word.classList.add("pg-blank");
        const before = !row && step.was && step.was[i] !== blank;
        const heard = row ? "blank, likeliest " : before ? "blank, was " : "blank";
        word.append(make("span", { class: "pg-quiet" }, heard));
        if (row) word.append(make("i", {}, tokens[best]));
        if (before) word.append(make("s", {}, tokens[step.was[i]]));
      }
      if (step.changed.includes(i)) word.classList.add(step.was ? "pg-undone" : "pg-new");
      const p = row ? row[best] : step.asked?.[i] ?? step.written[i];
      if (p !== undefined) {
        word.style.setProperty("--p", p);
        word.append(make("b", { "aria-hidden": "true" }, oneToken.odds(p)));
      }
      return word;
    });
    words.splice(given, 0, make("span", { class: "pg-break" }));
    element.replaceChildren(...words.flatMap((word) => [word, " "]));
  };

  // What a step did, in words.
  oneToken.tell = ({ text, changed, odds, was }, tokens) => {
    const name = (i, k) => `“${tokens[(was ?? text)[i]]}” ${oneToken.odds(odds[k])}`;
    if (!was) return `wrote ${changed.map(name).join(", ")}`;
    const rest = changed.length > 1 ? " and all after it" : "";
    return `took back ${name(changed[0], 0)}${rest}`;
  };

  // Reading an answer of Verdicts (worlds/judging.py): is it right, and of one mind?
  oneToken.judge = (text, tokens) => {
    const words = text.map((token) => tokens[token]), answer = words.slice(7);
    if (words.includes("<mask>")) return "";
    const [a, b, claim] = [1, 3, 5].map((i) => Number(words[i]));
    const verdict = answer.findLast((word) => word === "yes" || word === "no");
    const equals = answer.lastIndexOf("="), sum = Number(answer[equals + 1]);
    const [c, d] = [equals - 3, equals - 1].map((i) => Number(answer[i]));
    if (!verdict || equals < 0 || [a, b, claim, sum].some(Number.isNaN)) return "Not an answer.";
    if ((verdict === "yes") !== (sum === claim)) {
      const given = sum === claim ? "the very sum that was claimed" : "another sum than was claimed";
      return `It contradicts itself: it says ${verdict}, and then gives ${given}.`;
    }
    if (c + d !== sum) return `Its reason does not add up: ${c} + ${d} is not ${sum}.`;
    if (sum !== a + b) return "It fits together, and the sum is wrong.";
    return "Right, and the verdict fits the sum.";
  };
})();
