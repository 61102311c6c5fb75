"""Sandboxes on other machines: `make grade CLUSTER=tcp://…`.

A rebuilt notebook travels to a worker as JSON, is run there in the sandbox of sandbox.py, and what
it showed and which tests it passed travel back as JSON. Submissions are read, and reports and
gradebook written, on the teacher's machine alone. A worker without a sandbox gets no work.
"""

import dataclasses

from utils.checkpoints.cluster import Cluster

from . import sandbox


class Sandboxes:
    """with Sandboxes("tcp://…") as place: place.run(…), as `sandbox.run`, in many threads."""

    def __init__(self, address):
        """Raises ClusterError when nobody can work there."""
        self.cluster = Cluster(address, needs="tools.grading.sandbox:unavailable")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.cluster.close()

    def run(self, plan, limits, *, course, modules, unsafe=False):
        """Examine one rebuilt notebook, somewhere. Raises JobError when its workers ended."""
        if unsafe:
            raise sandbox.NoSandbox("a worker runs nothing without a sandbox")
        where = {"course": str(course), "modules": list(modules)}
        message = {"plan": plan, "limits": dataclasses.asdict(limits), **where}
        return sandbox.Ended(**self.cluster.call("tools.grading.cluster:examine", message))

    def stop(self):
        """End every run that we wait for. What a worker has begun ends there by its limits."""
        self.cluster.stop()


def examine(message):
    """On a worker: what `run` was given, and what comes back."""
    limits = sandbox.Limits(**message["limits"])
    where = {"course": message["course"], "modules": message["modules"]}
    return dataclasses.asdict(sandbox.run(message["plan"], limits, **where))
