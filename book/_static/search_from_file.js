// Excerpts for a search page that was opened from a file: it may not fetch the pages it has found,
// but may load a script that holds what they say.
if (location.protocol === "file:") {
  const pages = new Promise((resolve) => {
    const script = document.createElement("script");
    script.src = document.currentScript.src.replace("search_from_file.js", "pages.js");
    script.onload = () => resolve(window.bookPages);
    document.head.append(script);
  });
  window.fetch = async (address) => {
    const name = new URL(address, location.href).href.slice(new URL(".", location.href).href.length);
    return { text: async () => (await pages)[name.replace(/\.html.*/, "")] };
  };
}
