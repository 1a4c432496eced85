# SPDX-License-Identifier: Apache-2.0
"""Two and four hosts, which are network namespaces joined by veth pairs of 1 Gbit/s, with Open MPI over
TCP between them: the bits of one process, the bytes of the formula, how much of the sums' time is
hidden behind the backward pass, and what is told when a link is lost. Needs root.

usage: ranks_network.py DETENT [bench]     (bench: only times sums, and prints `detent bench ranks`)
"""
import os
import re
import shutil
import signal
import subprocess
import threading
import time

from launch import Launcher, own_lines
from support import SKIP, Test, main

RECIPE = """\
model: {name: resnet20, classes: 10}
data: {name: builtin, batch: 16, train_pictures: 640, test_pictures: 64}
quant: {placement: deploy, weights: {method: lsq, bits: 4}, activations: {method: lsq, bits: 4}}
train: {epochs: 2, optimizer: {name: sgd, lr: 0.02}, seed: 3}
eval: {batch: 32}
"""
STEPS, LIMIT = 10, 3
BUCKET = 4 << 17  # bytes of gradients that fill one (comm/reduce.h)
RATE = "1gbit"


def sh(command):
    return subprocess.run(command, shell=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True)


def must(command):
    done = sh(command)
    if done.returncode != 0:
        raise SystemExit(f"{command}: {done.stdout}")


class Network:
    """A switch in a namespace of its own, and hosts around it."""

    def __init__(self, test, count):
        self.test = test
        self.name = f"dt{os.getpid()}"
        self.hosts = [f"{self.name}h{i}" for i in range(count)]
        self.addresses = [f"10.231.7.{i + 1}" for i in range(count)]
        must(f"ip netns add {self.name}")
        self.switch(f"ip link add br0 type bridge && ip link set br0 up && ip link set lo up")
        self.shaped = self.delayed = True
        for i, host in enumerate(self.hosts):
            self.add(i, host)
        self.agent = test.write("agent.sh", self.script())
        os.chmod(self.agent, 0o755)

    def switch(self, command):
        must(f"ip netns exec {self.name} sh -c '{command}'")

    def inside(self, host, command):
        return sh(f"ip netns exec {host} sh -c '{command}'")

    def add(self, i, host):
        must(f"ip netns add {host}")
        must(f"ip link add p{i} netns {self.name} type veth peer name eth0 netns {host}")
        self.switch(f"ip link set p{i} master br0 up")
        self.inside(host, f"ip link set lo up && ip addr add {self.addresses[i]}/24 dev eth0 && "
                          "ip link set eth0 up")
        for where, port in (host, "eth0"), (self.name, f"p{i}"):
            add = f"tc qdisc add dev {port} root"
            if self.inside(where, f"{add} netem delay 100us rate {RATE}").returncode == 0:
                continue
            self.delayed = False
            limit = self.inside(where, f"{add} tbf rate {RATE} burst 256kb latency 20ms")
            self.shaped = self.shaped and limit.returncode == 0

    def script(self):
        """What Open MPI starts its daemons with, in place of ssh: a namespace, with its own name."""
        cases = "".join(f"{address}) host={host} ;;\n"
                        for address, host in zip(self.addresses, self.hosts))
        return f"#!/bin/sh\ncase $1 in\n{cases}esac\nshift\n" \
            "exec ip netns exec $host unshare -u sh -c \"hostname $host; $*\"\n"

    def options(self):
        net = "10.231.7.0/24"
        return ["--host", ",".join(f"{a}:1" for a in self.addresses), "--map-by", "node",
                "--bind-to", "none",
                "--mca", "plm_rsh_agent", self.agent, "--mca", "btl", "tcp,self",
                "--mca", "btl_tcp_if_include", net, "--mca", "oob_tcp_if_include", net]

    def command(self, launch, *args):
        """mpirun on the first host."""
        line = launch.command(len(self.hosts), *args, options=self.options())
        return ["ip", "netns", "exec", self.hosts[0], "unshare", "-u", "sh", "-c",
                f"hostname {self.hosts[0]}; exec \"$@\"", "sh", *line]

    def start(self, launch, *args):
        process = subprocess.Popen(self.command(launch, *args), stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True, env=launch.environment(),
                                   start_new_session=True)
        self.test.processes.append(process)
        return process

    def close(self):
        for host in [*self.hosts, self.name]:
            for pid in sh(f"ip netns pids {host}").stdout.split():
                try:
                    os.kill(int(pid), signal.SIGKILL)
                except (OSError, ValueError):
                    pass
            sh(f"ip netns del {host}")


def number(pattern, text):
    found = re.search(pattern, text)
    return float(found.group(1)) if found else float("nan")


def formula(ranks, err):
    """Bytes that a rank sends in a step of one batch each: two times all gradients but its own range,
    and to all others its wish, its score, and what running statistics are moved by."""
    gradients = 4 * number(r"(\d+) parameters and their gradients", err)
    statistics = number(r"(\d+) numbers of statistics", err)
    return 2 * (ranks - 1) / ranks * gradients + (ranks - 1) * (12 + 56 + 8 * statistics)


def bits(test, launch, network, recipe, ranks):
    words = ["train", recipe, f"train.accumulate={ranks}", f"train.max_steps={STEPS}", "--threads", 1]
    alone, among = test.path(f"alone{ranks}"), test.path(f"among{ranks}")
    test.succeed(*words, "--out", alone)
    process = network.start(launch, *words, "--out", among)
    out, err = process.communicate(timeout=300)
    if process.returncode != 0:
        test.check(False, f"{ranks} hosts: exit code {process.returncode}\n{err}")
        return
    one, many = (test.sha256(os.path.join(f, "last.h5")) for f in (alone, among))
    test.check(one == many, f"{ranks} hosts: {many}, one process {one}")
    test.check("1 on this host" in err, "every rank is on a host of its own: " + err)
    sent, wanted = number(r"(\d+) bytes sent a step", err), formula(ranks, err)
    # A bucket of an odd count has no equal halves: the first rank's are a number shorter.
    uneven = 4 * (ranks // 2) * (number(r"(\d+) parameters and their gradients", err) * 4 // BUCKET + 1)
    test.check(abs(sent - wanted) <= uneven, f"{ranks} hosts: {sent} bytes, formula {wanted}")
    told = [line for line in err.split("\n") if "bytes sent a step" in line]
    print(f"{ranks} hosts: {many[:12]}, formula {wanted:.0f} bytes; {told[0]}", flush=True)


def lost_link(test, launch, network, recipe):
    """Pulled out in mid-run. Open MPI's own daemons may not notice for long: what counts is what the
    ranks say, and that the checkpoint is whole."""
    folder = test.path("lost")
    process = network.start(launch, "train", recipe, "train.accumulate=2", "train.epochs=50",
                            "train.save_minutes=0.01", "--comm-seconds", LIMIT, "--threads", 1,
                            "--out", folder)
    parts, pulled, start = [], False, time.monotonic()
    reader = threading.Thread(target=lambda: parts.extend(process.stderr), daemon=True)
    reader.start()
    while time.monotonic() - start < 90 and process.poll() is None and \
            not any("silent" in line for line in parts):
        if not pulled and os.path.exists(os.path.join(folder, "last.h5")):
            network.switch("ip link set p1 down")
            pulled = True
        time.sleep(0.2)
    time.sleep(1)
    err = "".join(parts)
    told = [line for line in own_lines(err) if line.startswith("rank ")]
    test.check(told == [f"rank 1 on {network.hosts[1]}: has been silent for {LIMIT} s"],
               f"a lost link: {told}\n{err[-1500:]}")
    test.check(len(test.sha256(os.path.join(folder, "last.h5"))) == 64, "last.h5 is whole")


def run(args):
    test = Test(args[0])
    launch = Launcher(test)
    why = launch.missing()
    if not why and not launch.is_open:
        why = "this is about Open MPI"
    if not why and (os.geteuid() != 0 or not shutil.which("ip") or not shutil.which("unshare") or
                    sh("unshare -n true").returncode != 0):
        why = "network namespaces are not allowed here"
    if why:
        print("SKIP", why)
        return SKIP
    recipe = test.write("r.yaml", RECIPE)
    for ranks in 2, 4:
        network = Network(test, ranks)
        try:
            print(f"{ranks} hosts, " + (f"{RATE} a link" if network.shaped else "links not limited") +
                  ("" if network.delayed else ", no delay: this kernel has no netem"), flush=True)
            if args[1:] == ["bench"]:
                print(network.start(launch, "bench", "ranks", "--steps", 20, "--json").communicate()[0])
                continue
            bits(test, launch, network, recipe, ranks)
            if ranks == 2:
                lost_link(test, launch, network, recipe)
        finally:
            network.close()
    return 0 if args[1:] == ["bench"] else test.end()


main(run)
