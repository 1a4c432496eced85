# SPDX-License-Identifier: Apache-2.0
"""Starting several ranks with whatever MPI is installed."""
import os
import shutil
import subprocess


class Launcher:
    """The module that this build made for Open MPI or MPICH, and the `mpirun` of the same."""

    def __init__(self, test):
        self.test = test
        self.module = os.path.join(os.path.dirname(test.detent), "detent-mpi.so")
        self.mpirun = shutil.which("mpirun." + self.kind()) or shutil.which("mpirun") or \
            shutil.which("mpiexec")
        version = ""
        if self.mpirun:
            version = subprocess.run([self.mpirun, "--version"], stdout=subprocess.PIPE,
                                     stderr=subprocess.STDOUT, text=True).stdout
        self.is_open = "Open MPI" in version or "OpenRTE" in version
        self.name = " ".join(" ".join(version.split("\n")[:2]).split())

    def kind(self):
        """Where several MPIs are installed Debian has launchers of these names."""
        if not os.path.exists(self.module):
            return "openmpi"
        with open(self.module, "rb") as f:
            return "mpich" if b"libmpich" in f.read() else "openmpi"

    def missing(self):
        """Why there are no ranks to be had here, or None."""
        if not self.mpirun:
            return "no mpirun is installed"
        if not os.path.exists(self.module):
            return "this build has no MPI module"
        return None

    def command(self, ranks, *args, options=()):
        """Several programs: args with ":" between them, each without the ranks of its own."""
        allow = ["--oversubscribe"] if self.is_open else []
        line = [self.mpirun, *allow, *options, "-n", str(ranks), self.test.detent]
        for arg in args:
            line += [":", "-n", "1", self.test.detent] if arg == ":" else [str(arg)]
        return line

    def environment(self, extra=None):
        """Containers run tests as root, which Open MPI asks about."""
        return dict(os.environ, OMP_WAIT_POLICY="passive", LC_ALL="C", OMPI_ALLOW_RUN_AS_ROOT="1",
                    OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1", **(extra or {}))

    def start(self, ranks, *args, options=(), extra=None, **more):
        process = subprocess.Popen(self.command(ranks, *args, options=options),
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                   env=self.environment(extra), **more)
        self.test.processes.append(process)
        return process

    def run(self, ranks, *args, timeout=300, **options):
        process = self.start(ranks, *args, **options)
        out, err = process.communicate(timeout=timeout)
        return process.returncode, out, err

    def succeed(self, ranks, *args, **options):
        code, out, err = self.run(ranks, *args, **options)
        if code != 0:
            raise SystemExit(f"{ranks} ranks, {' '.join(map(str, args))}: exit code {code}\n{err}")
        return out, err


def own_lines(err):
    """What detent said, without what the launcher says of it."""
    lines, inside = [], False
    for line in err.split("\n"):
        if line.startswith("-----"):
            inside = not inside
        elif not inside and line.strip():
            lines.append(line)
    return lines
