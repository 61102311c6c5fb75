"""Open the book in JupyterLab: what `make lab` runs, inside the book's environment.

The server asks for a token, which is part of the address we print, and talks to no other host.
It listens at 127.0.0.1 and port 8888, or the next one that is free, unless `make lab HOST=… PORT=…`
says otherwise. In a container it listens on all the container's addresses, because a forwarded port
arrives from outside.
"""

import argparse
import errno
import json
import os
import re
import secrets
import socket
import sys
from pathlib import Path
from urllib.parse import quote

import nbformat
from nbformat.sign import NotebookNotary

from utils.text.files import write_whole
from utils.text.printing import run_program

ROOT = Path(__file__).resolve().parent.parent
START = "chapters/00_start_here.ipynb"

# News and update notices would ask other hosts; the book needs neither. Nor does a reader need the
# buttons of nbgrader, which is installed for the teacher.
PAGE = {
    "disabledExtensions": {
        "@jupyterlab/apputils-extension:announcements": True,
        "@jupyter/nbgrader": True,
    }
}
NBGRADER = ("formgrader", "validate_assignment", "assignment_list", "course_list")
SERVER = {
    "ServerApp": {
        "jpserver_extensions": {f"nbgrader.server_extensions.{name}": False for name in NBGRADER}
    }
}
SETTINGS = {
    "@jupyterlab/apputils-extension:notification": {
        "fetchNews": "false",
        "checkForUpdates": False,
    },
    # Chapters link to the glossary and the claims: to be read, not edited.
    "@jupyterlab/docmanager-extension:plugin": {
        "defaultViewers": {"markdown": "Markdown Preview"},
    },
}
# What JupyterLab must know of tools/lab_links.js to load it.
LINKS = {
    "name": "one-token-links",
    "version": "1.0.0",
    "jupyterlab": {"_build": {"load": "static/links.js", "extension": "./extension"}},
}


def main():
    parser = argparse.ArgumentParser(description="Open the book in JupyterLab.")
    parser.add_argument("--host", help="address to listen on")
    parser.add_argument("--port", default="8888", help="first port to try")
    parser.add_argument("--root", default=ROOT, type=Path, help="folder that is served")
    parser.add_argument("notebook", nargs="?", default=START, help="page to begin with")
    arguments = parser.parse_args()
    container = in_container(os.environ)
    host = arguments.host or ("0.0.0.0" if container else "127.0.0.1")
    wanted = port_number(arguments.port)
    port = free_port(host, wanted)
    token = access_token(os.environ)
    try:
        prepare(arguments.root, os.environ)
    except OSError as error:
        raise SystemExit(f"JupyterLab's settings cannot be written: {error}") from None
    if port != wanted:
        print(f"Port {wanted} is taken; using {port}.")
    if container and host == "0.0.0.0":
        print("Inside a container: listening on all its addresses (HOST=127.0.0.1 for one).")
    browser = not container and has_display(os.environ)
    print("JupyterLab opens in your browser" if browser else "JupyterLab is ready in a few seconds")
    page = f"lab/tree/{quote(arguments.notebook)}"
    print(f"at {address(host, port, page, token)}")
    print("Stop it with Ctrl-C, twice.", flush=True)
    os.execv(sys.executable, server(arguments.root, page, host, port, browser=browser))


def server(root, page, host, port, *, browser):
    """The command line of a server whose files are `root` and which begins with `page`.

    The token is taken from the environment variable JUPYTER_TOKEN, where `ps` does not show it.
    """
    return [
        *(sys.executable, "-m", "jupyterlab"),
        f"--ServerApp.root_dir={root}",
        f"--LabApp.default_url=/{page}",
        f"--ServerApp.ip={host}",
        f"--ServerApp.port={port}",
        "--ServerApp.port_retries=0",
        f"--ServerApp.open_browser={browser}",
        f"--ServerApp.allow_root={os.getuid() == 0}",
        "--ServerApp.allow_remote_access=True",  # a forwarded port comes by another name
        "--Application.log_level=WARN",
        "--KernelManager.transport_encryption=auto",  # else each kernel warns that it has none
        "--LanguageServerManager.autodetect=False",  # else npm runs, and writes to ~/.npm
        "--LabApp.extension_manager=readonly",  # the other kind asks a package index
    ]


def prepare(root, environ):
    """Write JupyterLab's settings, and vouch for the book's notebooks so that their players run."""
    config = Path(environ["JUPYTER_CONFIG_DIR"])
    (config / "labconfig").mkdir(parents=True, exist_ok=True)
    write_whole(config / "labconfig" / "page_config.json", json.dumps(PAGE))
    write_whole(config / "labconfig" / "default_setting_overrides.json", json.dumps(SETTINGS))
    (config / "jupyter_server_config.d").mkdir(exist_ok=True)
    write_whole(config / "jupyter_server_config.d" / "nbgrader.json", json.dumps(SERVER))
    links = Path(environ["JUPYTER_DATA_DIR"]) / "labextensions" / LINKS["name"]
    (links / "static").mkdir(parents=True, exist_ok=True)
    write_whole(links / "package.json", json.dumps(LINKS))
    write_whole(links / "static" / "links.js", (ROOT / "tools" / "lab_links.js").read_bytes())
    notary = NotebookNotary()
    for path in sorted((root / "chapters").glob("*.ipynb")):
        try:
            notary.sign(nbformat.read(path, as_version=4))
        except Exception as error:  # whatever is wrong with one, the others can be read
            print(f"{path.name!a} cannot be read ({error!a:.100}); its players will not play.")


def address(host, port, page, token):
    """What to type into a browser on this machine."""
    shown = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    if ":" in shown:
        shown = f"[{shown}]"
    return f"http://{shown}:{port}/{page}?token={quote(token, safe='')}"


def access_token(environ):
    """The token that the reader has set, else a new one, which `environ` then holds."""
    if not environ.get("JUPYTER_TOKEN"):  # to Jupyter an empty one is none
        environ["JUPYTER_TOKEN"] = secrets.token_hex(16)
    return environ["JUPYTER_TOKEN"]


def port_number(text):
    """A port as it is typed. Raises SystemExit with one line if it is none."""
    return number("PORT", text, 65535, "no port: give a number from 1 to 65535, such as PORT=8888")


def number(name, text, most, otherwise):
    """A number from 1 to `most` as it is typed, for a variable of that name. Raises SystemExit with
    one line, which says what the text is otherwise, if it is none."""
    if re.fullmatch("[0-9]{1,9}", text) and 1 <= int(text) <= most:
        return int(text)
    shown = text if len(text) <= 40 else f"{text[:39]}…"
    raise SystemExit(f"{name}={shown} is {otherwise}.")


def free_port(host, wanted):
    """`wanted`, or the first port after it that nobody listens on."""
    for port in range(wanted, min(wanted + 100, 65536)):
        try:
            found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM)
            family, kind, _, _, place = found[0]
            with socket.socket(family, kind) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(place)
        except OSError as error:
            if error.errno in (errno.EADDRINUSE, errno.EACCES):
                continue
            raise SystemExit(
                f"HOST={host} is no address that this machine can listen on ({error.strerror}); "
                "leave it out for 127.0.0.1."
            ) from None
        return port
    raise SystemExit(f"No free port from {wanted} on at {host}; choose another with PORT=.")


def in_container(environ):
    """Whether this runs in a Docker, Podman or systemd container."""
    marks = (Path("/.dockerenv"), Path("/run/.containerenv"))
    return bool(environ.get("container")) or any(mark.exists() for mark in marks)


def has_display(environ):
    """Whether a browser could open where the reader sits."""
    if any(name in environ for name in ("SSH_CONNECTION", "SSH_TTY")):
        return False
    return sys.platform == "darwin" or bool(
        environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY")
    )


if __name__ == "__main__":
    run_program(main)
