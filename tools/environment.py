"""Make the book's environment, then run Python in it: `python3 tools/environment.py ARGUMENTS...`.

This is what `make` calls, with the system's Python and nothing but its standard library. The
environment is `.venv` beside the Makefile; packages come from requirements.txt, those that must
come without their dependencies from requirements-nodeps.txt. A stamp inside it says that it is
complete and for what; without the right stamp it is made anew, from pip's cache where possible.
Everything that programs would otherwise write to the home directory goes to `.cache`.

Written so that an old Python can read it, and say that it is too old.
"""

import ast
import contextlib
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time

NEEDED = (3, 11)
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
STEPS = (  # what pip is asked for, and what we say while it works
    ("the packages", ["-r", "requirements.txt"]),
    ("the texts and weights", ["--no-deps", "--no-compile", "-r", "requirements-nodeps.txt"]),
)
PINS = ("requirements.txt", "requirements-cluster.txt", "requirements-nodeps.txt")
PINS += ("constraints.txt",)
# What must be there to be imported before we say that all is ready: the largest, and the book.
IMPORTED = "import torch, tokenizers, jupyterlab, ipywidgets, matplotlib, nbgrader, pytest, utils"

# What the reader or the machine has set for other projects has no effect here, but for this.
FOREIGN = ("PYTHON", "PIP_", "JUPYTER", "IPYTHON", "MPL", "MATPLOTLIB", "TORCH", "PYTORCH")
FOREIGN += ("SETUPTOOLS_", "DISTUTILS_", "PYTEST_", "TQDM_")
KEPT = ("PYTHONDONTWRITEBYTECODE", "PYTHONFAULTHANDLER", "PYTHONHASHSEED", "PYTHONUNBUFFERED")
KEPT += ("PYTHON_COLORS", "JUPYTER_TOKEN")
PIP_SOURCES = (  # of pip's settings: where packages come from, and how they are reached
    *("index-url", "extra-index-url", "find-links", "no-index", "constraint", "keyring-provider"),
    *("proxy", "cert", "client-cert", "trusted-host", "timeout", "default-timeout", "retries"),
    *("cache-dir", "no-cache-dir"),
)
# JupyterLab and others store in a notebook what its kernel says of its language. That holds the
# version of Python, so opening a chapter with another one than its author's would change the file.
KERNEL = """\
# Read by each kernel of this environment, whatever starts it. Written by tools/environment.py.
from ipykernel.ipkernel import IPythonKernel

IPythonKernel.language_info.pop("version", None)
"""


class SetupError(Exception):
    """What the reader should know, in one line."""


def main(arguments):
    problem = too_old(sys.version_info, sys.executable)
    if problem:
        return say(problem, sys.stderr) or 1
    os.chdir(ROOT)
    try:
        prepare(ROOT)
        teach_kernels(ROOT)
        environ = variables(ROOT, os.environ)
    except SetupError as error:
        return say(str(error), sys.stderr) or 1
    except OSError as error:
        line = "The book cannot write to its folder: {}. Make room, or put it where you may write."
        return say(line.format(error), sys.stderr) or 1
    except KeyboardInterrupt:
        return say("\nStopped. The same command starts over, from pip's cache.", sys.stderr) or 130
    if not arguments:
        return 0
    python = venv_python(ROOT)
    os.execve(python, [python, *arguments], environ)


def say(line, stream=None):
    print(line, file=stream or sys.stdout, flush=True)


def too_old(version, executable):
    """One line for a Python that is too old, else None."""
    if tuple(version[:2]) >= NEEDED:
        return None
    return (
        "This book needs Python {} or newer; found {} ({}). Install a newer one, "
        "or run `make PYTHON=/path/to/python lab`.".format(
            ".".join(map(str, NEEDED)), ".".join(map(str, version[:3])), executable
        )
    )


def venv_python(root):
    return os.path.join(root, ".venv", "bin", "python")


def variables(root, base):
    """The environment variables under which everything of the book runs.

    What Jupyter, IPython, Matplotlib, pytest and others keep stays inside the clone, and what is
    set for other projects (PYTHONPATH, PIP_PREFIX, MPLBACKEND and the like) does not reach it.
    """
    cache = os.path.join(root, ".cache")
    own = {
        "JUPYTER_CONFIG_DIR": "jupyter/config",
        "JUPYTER_DATA_DIR": "jupyter/data",
        "JUPYTER_RUNTIME_DIR": "jupyter/runtime",
        "IPYTHONDIR": "ipython",
        "MPLCONFIGDIR": "matplotlib",
        "RUFF_CACHE_DIR": "ruff",
        "HYPOTHESIS_STORAGE_DIRECTORY": "hypothesis",
        "PYTEST_DEBUG_TEMPROOT": "tests",
    }
    kept = {*KEPT, *map(pip_variable, PIP_SOURCES)}
    result = {
        name: value for name, value in base.items() if name in kept or not name.startswith(FOREIGN)
    }
    if not re.fullmatch("[0-9, ]+", result.get("OMP_NUM_THREADS", "1")):
        del result["OMP_NUM_THREADS"]  # libgomp would complain of it in each notebook's output
    for name, folder in own.items():
        result[name] = os.path.join(cache, *folder.split("/"))
        os.makedirs(result[name], exist_ok=True)
    home = result.get("HOME") or os.path.expanduser("~")  # which asks the system if there is none
    if not os.access(home, os.W_OK | os.X_OK):
        home = os.path.join(cache, "home")
        os.makedirs(home, exist_ok=True)
    result["HOME"] = home
    venv = os.path.join(root, ".venv")
    result["VIRTUAL_ENV"] = venv
    result["PATH"] = os.path.join(venv, "bin") + os.pathsep + base.get("PATH", os.defpath)
    result["JUPYTER_PREFER_ENV_PATH"] = "0"  # what the book sets holds, not what packages bring
    result.update(PIP_USER="0", PIP_NO_INPUT="1", PIP_DISABLE_PIP_VERSION_CHECK="1")
    result["PYTHONIOENCODING"] = ":backslashreplace"  # a name that cannot be shown ends nothing
    return result


def pip_variable(setting):
    """The environment variable by which pip takes a setting."""
    return "PIP_" + setting.upper().replace("-", "_")


def pip_variables(root, base):
    """`variables` for pip, which reads files besides: of what they say, only the sources hold."""
    result = variables(root, base)
    asking = dict(result)
    if "PIP_CONFIG_FILE" in base:
        asking["PIP_CONFIG_FILE"] = base["PIP_CONFIG_FILE"]
    asked = subprocess.run(
        [venv_python(root), "-m", "pip", "config", "list"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=asking,
        encoding="utf-8",
        errors="replace",
    )
    if asked.returncode:
        said = (asked.stderr.strip().splitlines() or ["it does not say why"])[-1]
        raise SetupError("pip cannot read its configuration files: {}".format(said))
    for line in asked.stdout.splitlines():  # such as: install.target='/elsewhere'
        key, _, value = line.partition("=")
        section, _, name = key.partition(".")
        if section in ("global", "install") and name in PIP_SOURCES:
            result[pip_variable(name)] = ast.literal_eval(value)
    result.update({name: base[name] for name in result if name in base and name.startswith("PIP_")})
    result.update(PIP_CONFIG_FILE=os.devnull)  # so that pip reads none of them again
    return result


def stamp(root):
    """What the environment depends on: packages, Python, and where the clone is."""
    import tomllib  # only in a Python that is new enough

    found = hashlib.sha256()
    for name in PINS:
        with open(os.path.join(root, name), "rb") as file:
            found.update(file.read())
    with open(os.path.join(root, "pyproject.toml"), "rb") as file:
        project = tomllib.load(file)
    installed = [project["project"], project["build-system"], project["tool"]["setuptools"]]
    found.update(json.dumps([installed, sys.version_info[:2], root]).encode())
    return found.hexdigest()


def is_ready(root):
    """Whether the environment is complete, up to date, and its Python still there."""
    try:
        with open(os.path.join(root, ".venv", "complete")) as file:
            if file.read() != stamp(root):
                return False
        seen = subprocess.check_output(
            [venv_python(root), "-I", "-c", "import sys; print(sys.version_info[:2])"],
            stderr=subprocess.DEVNULL,
        )
    except (OSError, subprocess.CalledProcessError):
        return False
    return seen.decode().strip() == str(sys.version_info[:2])


def prepare(root):
    """Make the environment unless it is ready. Raises SetupError with one line."""
    if is_ready(root):
        return
    os.makedirs(os.path.join(root, ".cache"), exist_ok=True)
    with one_at_a_time(os.path.join(root, ".cache", "setup.lock")):
        if not is_ready(root):  # another `make` may have just finished it
            make(root)


@contextlib.contextmanager
def one_at_a_time(path):
    """Hold a lock that the system drops when this process ends, however it ends."""
    import fcntl

    with open(path, "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            say("Another `make` is setting up here; waiting for it.")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def make(root):
    if os.pathsep in root:
        raise SetupError(
            "The book lies in {!r}, and Python makes no environment in a folder with {!r} in its "
            "path: move or rename it.".format(root, os.pathsep)
        )
    taken = re.search(r"[{}]|\$[A-Za-z_]", root)
    if taken:
        raise SetupError(
            "The book lies in {!r}, and Python's installers take the {} in its path for a "
            "variable: move or rename it.".format(root, taken[0])
        )
    if re.search("[\ud800-\udfff]", root):
        raise SetupError(
            "The book lies in {!r}, a path that is not UTF-8, which Jupyter and others cannot "
            "take: move or rename it.".format(root)
        )
    start = time.monotonic()
    log = os.path.join(root, ".cache", "setup.log")
    venv = os.path.join(root, ".venv")
    if os.path.islink(venv):
        raise SetupError(
            "{!r} is a link, and what it leads to is another clone's or not complete: remove the "
            "link, and an environment is made here.".format(venv)
        )
    say(
        "Setting up the book in .venv: 2 to 5 minutes the first time. pip downloads about 0.7 GB\n"
        "(3 GB where PyTorch comes with its GPU libraries) and keeps it for later.\n"
        "What it says goes to .cache/setup.log."
    )
    open(log, "w").close()
    say("1/3 a fresh environment for Python " + ".".join(map(str, sys.version_info[:3])))
    with contextlib.suppress(OSError):  # first: of what is removed by half, no stamp is to be left
        os.unlink(os.path.join(venv, "complete"))
    shutil.rmtree(venv, ignore_errors=True)  # it is unfinished, out of date, or of another place
    run([sys._base_executable, "-m", "venv", venv], log, variables(root, os.environ))
    environ = pip_variables(root, os.environ)
    for number, (what, arguments) in enumerate(STEPS, start=2):
        say("{}/3 {}".format(number, what))
        pip = [venv_python(root), "-m", "pip", "install", "--progress-bar", "off"]
        run(pip + arguments, log, environ)
    mend_scripts(root)
    run([venv_python(root), "-I", "-c", IMPORTED], log, variables(root, os.environ))
    put(os.path.join(venv, "complete"), stamp(root))
    say("The environment is ready, after {:.0f} seconds.".format(time.monotonic() - start))


def teach_kernels(root):
    """Have the environment's kernels not name the version of Python."""
    folder = os.path.join(root, ".venv", "etc", "ipython")
    path = os.path.join(folder, "ipython_kernel_config.py")
    with contextlib.suppress(OSError):
        with open(path) as file:
            if file.read() == KERNEL:
                return
    with contextlib.suppress(OSError):  # where it may not be written, git shows a changed line
        os.makedirs(folder, exist_ok=True)
        put(path, KERNEL)


def put(path, text):
    """Write a file in one step: it is never there by half."""
    partial = path + ".part"
    with open(partial, "w") as file:
        file.write(text)
    os.replace(partial, path)


def mend_scripts(root):
    """Quote the path of Python in the commands that pip has made: it heeds spaces, and no quote."""
    python = venv_python(root)
    quoted = re.sub(r'([\\"$`])', r"\\\1", python)
    line = "#!/bin/sh\n'''exec' \"{}\" "
    folder = os.path.dirname(python)
    for name in os.listdir(folder) if quoted != python else ():
        path = os.path.join(folder, name)
        with open(path, "rb") as file:
            content = file.read()
        if content.startswith(line.format(python).encode()):
            with open(path, "wb") as file:
                file.write(content.replace(python.encode(), quoted.encode(), 1))


def run(command, log, environ):
    """Run one step, its output to the log, a line of progress to the reader."""
    output, progress = [], Progress()

    def read(stream):
        with open(log, "a", encoding="utf-8") as file:
            file.write("$ {}\n".format(" ".join(command)))
            for line in stream:
                file.write(line)
                file.flush()
                output.append(line)
                progress.see(line)

    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environ,
        encoding="utf-8",
        errors="replace",
    )
    reader = threading.Thread(target=read, args=(process.stdout,), daemon=True)
    reader.start()
    try:
        while reader.is_alive():
            reader.join(0.25)
            progress.show()
    except KeyboardInterrupt:
        process.terminate()
        process.wait()
        raise
    finally:
        progress.clear()
    code = process.wait()
    if code:
        raise SetupError("The set-up failed: {} (all of it: {})".format(reason(output, code), log))


class Progress:
    """What pip is doing: on a terminal a line that changes, elsewhere a line every half minute."""

    def __init__(self, stream=None):
        self.stream = stream or sys.stdout
        self.live = self.stream.isatty()
        self.start = self.shown = time.monotonic()
        self.doing = "starting"

    def see(self, line):
        words = line.split()
        if words[:1] == ["Collecting"]:
            self.doing = "collecting {}".format(words[1])
        elif words[:1] == ["Downloading"]:  # name-version-platform.whl (size unit)
            name = "-".join(words[1].rsplit("/", 1)[-1].split("-")[:2])
            self.doing = "downloading {}".format(" ".join([name, *words[2:4]]))
        elif line.startswith("Installing collected packages"):
            self.doing = "installing {} packages".format(line.count(",") + 1)
        elif "Retrying" in line:
            self.doing = "no answer from the package index; trying again"

    def show(self):
        now = time.monotonic()
        if self.live:
            line = "    {:3.0f} s  {}".format(now - self.start, self.doing)
            width = shutil.get_terminal_size().columns - 1
            self.stream.write("\r\x1b[K" + line[:width])
            self.stream.flush()
        elif now - self.shown >= 30:
            self.shown = now
            say("    {:3.0f} s  {}".format(now - self.start, self.doing), self.stream)

    def clear(self):
        if self.live:
            self.stream.write("\r\x1b[K")
            self.stream.flush()


def reason(output, code):
    """Why a step failed, in one line, from what it printed and its exit code."""
    text = "".join(output)
    named = re.findall(
        r"(?:No matching distribution found for|that satisfies the requirement|Failed to build"
        r"|Cannot install) ([\w.\[\]-]+(?:==[\w.+]+)?)",
        text,
    )
    collected = re.findall(r"^\s*Collecting (\S+)", text, re.MULTILINE)
    package = (named or collected[-1:] or ["the environment"])[0]
    if re.search(r"No space left on device|\[Errno 28\]", text):
        return "the disk is full (at {}); free about 4 GB and run the same command".format(package)
    if re.search(r"ensurepip is not available|No module named (venv|ensurepip)", text):
        return (
            "this Python cannot make virtual environments; on Debian or Ubuntu run "
            "`apt install python3-venv`, then the same command"
        )
    if re.search(
        r"NewConnectionError|ConnectionError|name resolution|Network is unreachable|Max retries"
        r"|timed out|ReadTimeout|ConnectTimeout|ProxyError|SSLError|CERTIFICATE_VERIFY_FAILED"
        r"|HTTP error 5\d\d",
        "".join(output[-40:]),
    ):
        return (
            "no connection to the package index (at {}); check the network or pip's proxy "
            "settings and run the same command".format(package)
        )
    if "No matching distribution found" in text:
        return "there is no {} for Python {}.{} on this system; try another Python with {}".format(
            package, *sys.version_info[:2], "`make PYTHON=/path/to/python`"
        )
    if "ResolutionImpossible" in text:
        return "{} is not to be had together with the other versions asked for".format(package)
    if code < 0:
        return "stopped by signal {} at {}; was there too little memory?".format(-code, package)
    missing = re.findall(r"^(?:ModuleNotFound|Import|OS)Error: .*", text, re.MULTILINE)
    if missing:
        return "what was installed cannot be imported ({})".format(missing[-1])
    errors = [line.strip() for line in output if re.match(r"\s*(ERROR|error):", line)]
    return "at {}: {}".format(package, errors[-1] if errors else "exit code {}".format(code))


if __name__ == "__main__":
    if hasattr(signal, "SIGPIPE"):  # where nobody reads on, as with `| head`: end quietly
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    sys.exit(main(sys.argv[1:]))
