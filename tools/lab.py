"""Open the book in JupyterLab: what `make lab` runs, inside the book's environment.

The server asks for a token, which is part of the address we print, and talks to no other host.
It listens at 127.0.0.1 and port 8888, or the next one that is free, unless `make lab HOST=… PORT=…`
says otherwise. In a container it listens on all the container's addresses, because a forwarded port
arrives from outside.
"""

import argparse
import json
import os
import secrets
import socket
import sys
from pathlib import Path

import nbformat
from nbformat.sign import NotebookNotary

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
    }
}


def main():
    parser = argparse.ArgumentParser(description="Open the book in JupyterLab.")
    parser.add_argument("--host", help="address to listen on")
    parser.add_argument("--port", default=8888, type=int, help="first port to try")
    parser.add_argument("--root", default=ROOT, type=Path, help="folder that is served")
    parser.add_argument("notebook", nargs="?", default=START, help="page to begin with")
    arguments = parser.parse_args()
    container = in_container(os.environ)
    host = arguments.host or ("0.0.0.0" if container else "127.0.0.1")
    port = free_port(host, arguments.port)
    token = os.environ.setdefault("JUPYTER_TOKEN", secrets.token_hex(16))
    prepare(arguments.root, Path(os.environ["JUPYTER_CONFIG_DIR"]))
    if port != arguments.port:
        print(f"Port {arguments.port} is taken; using {port}.")
    if container and host == "0.0.0.0":
        print("Inside a container: listening on all its addresses (HOST=127.0.0.1 for one).")
    browser = not container and has_display(os.environ)
    print("JupyterLab opens in your browser" if browser else "JupyterLab is ready in a few seconds")
    page = f"lab/tree/{arguments.notebook}"
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


def prepare(root, config):
    """Write JupyterLab's settings, and vouch for the book's notebooks so that their players run."""
    (config / "labconfig").mkdir(parents=True, exist_ok=True)
    (config / "labconfig" / "page_config.json").write_text(json.dumps(PAGE))
    (config / "labconfig" / "default_setting_overrides.json").write_text(json.dumps(SETTINGS))
    (config / "jupyter_server_config.d").mkdir(exist_ok=True)
    (config / "jupyter_server_config.d" / "nbgrader.json").write_text(json.dumps(SERVER))
    notary = NotebookNotary()
    for path in sorted((root / "chapters").glob("*.ipynb")):
        notary.sign(nbformat.read(path, as_version=4))


def address(host, port, page, token):
    """What to type into a browser on this machine."""
    shown = "127.0.0.1" if host in ("0.0.0.0", "") else host
    return f"http://{shown}:{port}/{page}?token={token}"


def free_port(host, wanted):
    """`wanted`, or the first port after it that nobody listens on."""
    for port in range(wanted, min(wanted + 100, 65536)):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError:
                continue
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
    main()
