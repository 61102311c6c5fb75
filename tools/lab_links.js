// An extension of JupyterLab's: a link to a term of the glossary opens the glossary at that term, and
// on a phone a chapter has the screen to itself.
//
// JupyterLab hands on what follows the # of a link, and jupyterlab-myst, which shows the pages, does
// not look at it, so each page would open at its top. And it opens with the list of files, which leaves
// a chapter one letter a line where the window is narrow. tools/lab.py installs this for `make lab`.
(() => {
  const NAME = "one-token-links";
  const WITHIN = 20_000; // milliseconds until a page is shown, on a slow machine
  const NARROW = 700; // pixels

  // Where the page has that anchor; the glossary's terms have a word before theirs.
  const find = (page, anchor) =>
    [anchor, `term-${anchor}`].map((id) => page.querySelector(`#${CSS.escape(id)}`)).find(Boolean);

  const plugin = {
    id: `${NAME}:plugin`,
    autoStart: true,
    activate: ({ commands, shell, restored }) => {
      restored.then(() => innerWidth < NARROW && shell.collapseLeft());
      let latest;
      commands.commandExecuted.connect((_, { id, args }) => {
        if (id !== "rendermime:handle-local-link" || !args.id?.startsWith("#")) return;
        const link = (latest = args);
        const anchor = decodeURIComponent(link.id.slice(1));
        const end = Date.now() + WITHIN;
        const look = () => {
          const widget = shell.currentWidget;
          const page = widget?.context?.path === link.path && widget.node;
          const place = page && page.querySelector(".jp-MarkdownViewer") && find(page, anchor);
          if (place) place.scrollIntoView();
          else if (link === latest && Date.now() < end) setTimeout(look, 100);
        };
        look();
      });
    },
  };

  (window._JUPYTERLAB ??= {})[NAME] = {
    init: () => {},
    get: async () => () => ({ __esModule: true, default: plugin }),
  };
})();
