// Turns the cells of each heat map that has this id into buttons, and shows what came out of the
// one that is chosen. All it says is taken from the list below the table.
window.oneTokenHeat = (id) => {
  document.querySelectorAll('[id="' + id + '"]:not(.ott-live)').forEach((root) => {
    root.classList.add("ott-live");
    const names = [...root.querySelectorAll("dt")];
    const told = document.createElement("div");
    told.className = "ott-told";
    told.setAttribute("aria-live", "polite");
    const texts = names.map((name) => name.textContent + "\n" + name.nextElementSibling.textContent);
    told.dataset.room = texts.reduce((a, b) => (b.length > a.length ? b : a));
    const grid = [...root.querySelectorAll("tbody tr")].map((row) => [...row.cells].slice(1));
    const full = grid.flat().filter((cell) => cell.hasAttribute("style"));
    const buttons = full.map((cell, i) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = cell.textContent;
      button.setAttribute("aria-label", names[i].textContent);
      button.onclick = () => choose(i);
      cell.replaceChildren(button);
      return button;
    });
    root.querySelector("table").after(told);
    root.addEventListener("keydown", (event) => {
      const steps = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
      const step = steps[event.key], cell = event.target.closest("td");
      if (!step || !cell || event.altKey || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      event.stopPropagation(); // or JupyterLab would take the arrows for its cells
      let row = grid.findIndex((one) => one.includes(cell)), column = grid[row].indexOf(cell), next;
      do {
        row += step[0];
        column += step[1];
        next = grid[row]?.[column];
      } while (next && !full.includes(next));
      if (next) choose(full.indexOf(next), true);
    });
    const strongest = full.reduce((best, cell, i) => (shade(cell) > shade(full[best]) ? i : best), 0);
    choose(strongest);

    function shade(cell) {
      return parseFloat(cell.style.getPropertyValue("--shade-of"));
    }
    function choose(which, focus) {
      buttons.forEach((button, i) => {
        button.setAttribute("aria-pressed", i === which);
        button.tabIndex = i === which ? 0 : -1;
      });
      const name = document.createElement("b");
      name.textContent = names[which].textContent;
      told.replaceChildren(name, names[which].nextElementSibling.textContent);
      if (focus) buttons[which].focus();
    }
  });
};
