// Gives each set of panels that has this id its controls, and shows the panel they choose.
// knobs: {name, kind, labels, start}; the panels are in the order of
// their product, the last knob turning fastest, but for the one shown without scripts, which is first.
window.oneTokenKnobs = (id, knobs, shown) => {
  const make = (tag, attributes, ...inside) => {
    const element = document.createElement(tag);
    for (const name in attributes) element.setAttribute(name, attributes[name]);
    element.append(...inside);
    return element;
  };
  document.querySelectorAll('[id="' + id + '"]:not(.ott-live)').forEach((root) => {
    root.classList.add("ott-live");
    root.addEventListener("keydown", (event) => {
      const elsewhere = event.altKey || event.ctrlKey || event.metaKey || event.key === "Escape";
      if (!elsewhere) event.stopPropagation(); // or JupyterLab would take the arrows for its cells
    });
    const panels = [...root.querySelectorAll("details.ott-panel")];
    panels.splice(shown, 0, panels.shift());
    const chosen = knobs.map((knob) => knob.start);
    const said = make("p", { class: "ott-quiet", "aria-live": "polite" });
    const dials = make("div", { class: "ott-dials" }, ...knobs.map(dial));
    for (const panel of panels) panel.classList.add("ott-turned");
    root.append(dials, said, ...panels);
    root.querySelector(".ott-others")?.remove();
    show();

    function turn(which, value) {
      chosen[which] = +value;
      show();
      said.textContent = knobs.map((knob, i) => knob.name + " " + knob.labels[chosen[i]]).join(", ");
    }
    function show() {
      const place = chosen.reduce((sum, value, i) => sum * knobs[i].labels.length + value, 0);
      panels.forEach((panel, i) => {
        panel.hidden = i !== place;
        panel.open = i === place;
      });
    }
    function dial({ name, kind, labels, start }, which) {
      // differs between two copies of the same output, as names of radio buttons must
      const own = id + "-" + which + "-" + document.querySelectorAll(".ott-dials").length;
      if (kind === "toggle") {
        const choice = (label, i) => {
          const input = make("input", { type: "radio", name: own, value: i });
          input.checked = i === start;
          input.onchange = () => turn(which, i);
          return make("label", {}, input, make("span", {}, label));
        };
        const segments = make("div", { class: "ott-segments" }, ...labels.map(choice));
        return make("fieldset", { class: "ott-dial" }, make("legend", {}, name), segments);
      }
      const slides = kind === "slider";
      const now = make("output", {});
      const control = slides
        ? make("input", { id: own, type: "range", min: 0, max: labels.length - 1, step: 1 })
        : make("select", { id: own }, ...labels.map((label, i) => new Option(label, i)));
      const name_it = () => {
        if (!slides) return;
        now.textContent = labels[control.value];
        control.setAttribute("aria-valuetext", labels[control.value]);
      };
      control.value = start;
      name_it();
      control.oninput = () => {
        name_it();
        turn(which, control.value);
      };
      const words = make("div", { class: "ott-knob-name" }, make("label", { for: own }, name), now);
      return make("div", { class: "ott-dial" + (slides ? " ott-wide" : "") }, words, control);
    }
  });
};
