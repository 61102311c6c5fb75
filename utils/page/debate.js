// Draws each table of tests as a picture: a row for each side, a column for each way to end, a mark
// for each test. All it says is taken from the table, which it folds away.
window.oneTokenDebate = () => {
  const make = (tag, attributes, ...inside) => {
    const element = document.createElement(tag);
    for (const name in attributes) element.setAttribute(name, attributes[name]);
    element.append(...inside);
    return element;
  };
  const COLUMNS = {
    "does not hold": ["does not hold"],
    open: ["open"],
    holds: ["holds", "holds with limits"],
    "no test yet, or none needed": ["by construction", "waits"],
  };
  const NAMES = { "by construction": "settled by how the models are built", waits: "waits for its chapter" };
  document.querySelectorAll(".ott-debate:not(.ott-live)").forEach((root) => {
    root.classList.add("ott-live");
    const table = root.querySelector(".ott-tests");
    const tests = [...table.tBodies].flatMap((body) => {
      const head = body.querySelector("th");
      return [...body.rows].map((row, i) => {
        const [asked, verdict] = [...row.cells].slice(-2);
        return { body, head, asked, verdict: verdict.textContent, kind: verdict.className, i, of: body.rows.length };
      });
    });
    const rows = new Map(tests.map(({ head: { dataset } }) => [dataset.side, Number(dataset.row)]));
    const sides = [...rows.keys()].sort((a, b) => rows.get(a) - rows.get(b));
    const told = make("div", { class: "ott-told", "aria-live": "polite" });
    const columns = Object.entries(COLUMNS);
    const heads = columns.map(([name]) => make("th", { scope: "col" }, name));
    const map = make("table", { class: "ott-map" }, make("thead", {}, make("tr", {}, ...heads)));
    for (const side of sides) {
      const cells = columns.map(([, verdicts]) => {
        const ours = tests.filter(({ head }) => head.dataset.side === side);
        const here = verdicts.flatMap((one) => ours.filter(({ verdict }) => verdict === one));
        return make("td", {}, make("div", { class: "ott-marks" }, ...here.map(mark)));
      });
      const name = make("th", { scope: "rowgroup", colspan: columns.length }, side);
      map.append(make("tbody", {}, make("tr", {}, name), make("tr", {}, ...cells)));
    }
    const key = make("p", { class: "ott-key" }, "Choose a mark, by touch or with the arrow keys. ");
    for (const verdict of columns.flatMap(([, verdicts]) => verdicts)) {
      const { kind } = tests.find((test) => test.verdict === verdict) ?? {};
      const icon = make("i", { class: kind, "aria-hidden": true });
      if (kind) key.append(make("span", {}, icon, NAMES[verdict] ?? verdict));
    }
    const fold = make("details", {}, make("summary", {}, "The same as a table"));
    root.append(map, key, told, fold);
    fold.append(table);
    const copy = (node) => node.cloneNode(true);
    const marks = [...map.querySelectorAll("button")];
    choose(tests.find(({ body }) => "start" in body.dataset) ?? tests[0]);

    function mark(test) {
      const { head, verdict, i, of } = test, which = of > 1 ? ", test " + (i + 1) + " of " + of : "";
      const name = head.dataset.short + which + ": " + verdict;
      test.mark = make("button", { type: "button", class: test.kind, "aria-label": name, title: name });
      test.mark.onclick = () => {
        root.classList.add("ott-touched");
        choose(test);
        // what is told may have come to lie over it
        test.mark.scrollIntoView({ block: "nearest", behavior: "instant" });
      };
      return test.mark;
    }
    function choose(test) {
      for (const other of tests) {
        const { mark, body } = other, here = other === test;
        mark.setAttribute("aria-pressed", here);
        mark.tabIndex = here ? 0 : -1;
        mark.classList.toggle("ott-kin", !here && body === test.body);
      }
      const { head, asked, verdict, kind, i, of } = test;
      const which = of > 1 ? " (test " + (i + 1) + " of " + of + " of this claim)" : "";
      told.replaceChildren(
        make("p", {}, make("b", { class: kind }, verdict), which),
        make("p", {}, make("b", {}, copy(head.querySelector("a"))), copy(head.querySelector("small"))),
        make("p", {}, ...[...asked.childNodes].map(copy)),
      );
    }
    // the next mark in this direction: above and below, the nearest of another line
    function next(from, key) {
      const at = marks.indexOf(from);
      if (key === "ArrowRight") return marks[at + 1];
      if (key === "ArrowLeft") return marks[at - 1];
      if (key === "Home") return marks[0];
      if (key === "End") return marks.at(-1);
      const down = { ArrowDown: 1, ArrowUp: -1 }[key], here = from.getBoundingClientRect();
      const far = (one) => {
        const there = one.getBoundingClientRect(), y = down * (there.y - here.y);
        return y > 1 ? y + 3 * Math.abs(there.x - here.x) : Infinity;
      };
      return down && marks.filter((one) => far(one) < Infinity).sort((a, b) => far(a) - far(b))[0];
    }
    map.onkeydown = (event) => {
      if (event.altKey || event.ctrlKey || event.metaKey || event.key === "Escape") return;
      event.stopPropagation(); // or JupyterLab would take the arrows for its cells
      const found = /^(Arrow|Home|End)/.test(event.key) && next(event.target, event.key);
      if (!found) return;
      event.preventDefault();
      found.click();
      found.focus();
    };
  });
};
