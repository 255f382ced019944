"""Rows about runs: from the claim to the agent, sandboxes and their steps, from a delivery to the draft, and many
runs at once."""
import json
import os
import re
import statistics
import subprocess
import tempfile
import threading
import time

from daemon import IMAGE, Draftd, git, make_repository, publish, source_files

HERE = os.path.dirname(os.path.abspath(__file__))
CHECKED = {".draftd.yml": 'checks: [ { name: test, run: "true" } ]\n', "answer.txt": "42\n"}
SILENCE_S = 4
AT_ONCE = 20
AGENT_S = 2


class Row:
    """What all of them have: values by name, one of each round."""

    def __init__(self, options):
        self.options = options
        self.rounds = {}

    def note(self, name, value):
        self.rounds.setdefault(name, []).append(value)

    def middle(self, name):
        return statistics.median(self.rounds[name])


class Start(Row):
    """A repository of real size, whose mirror is warm; the agent's first act is to print the time."""
    name = "start"

    def __init__(self, options):
        super().__init__(options)
        self.work = make_repository(os.path.join(options.dir, "large"), source_files())
        self.bare = publish(self.work, os.path.join(options.dir, "large.git"))
        self.daemon = Draftd(options, "start", {"demo/large": self.bare}, "date +%s%N; echo x >>notes.txt").start()
        self.daemon.run("demo/large")

    def agent_ms(self):
        claimed_ms, task = self.daemon.run("demo/large")
        return int(re.search(r"\d{19}", self.daemon.cli("logs", task)).group()) / 1e6 - claimed_ms

    def move_base(self):
        with open(f"{self.work}/part0/area0/file0.c", "a", encoding="ascii") as file:
            file.write(f"{time.time()}\n")
        git("-C", self.work, "commit", "-q", "-a", "-m", "More")
        git("-C", self.work, "push", "-q", self.bare, "main")

    def checkout_ms(self):
        """By git, in memory, as draftd's own here is: its work tree is not larger than half of the memory."""
        with tempfile.TemporaryDirectory(dir="/dev/shm") as directory:
            begun = time.monotonic()
            git("clone", "-q", "--shared", self.bare, f"{directory}/tree")
            return (time.monotonic() - begun) * 1e3

    def round(self):
        for _ in range(3):
            self.note("engine", self.options.engine_api.start_ms())
            self.note("checkout", self.checkout_ms())
            self.move_base()
            self.note("new", self.agent_ms())
            self.note("engine", self.options.engine_api.start_ms())
            self.note("seen", self.agent_ms())

    def report(self, report):
        engine, checkout = self.middle("engine"), self.middle("checkout")
        how = "from draftd's log to the agent's own clock"
        report.add("claim to agent, a base not seen before", self.middle("new"), "ms",
                   beside=("create, start, git clone --shared", engine + checkout), at_most=1.1, note=how)
        report.add("claim to agent, a base seen before", self.middle("seen"), "ms",
                   beside=("create, start", engine), at_most=1.25, note=how)


class Sandbox(Row):
    """Lives of sandboxes with one small command each."""
    name = "sandbox"

    def __init__(self, options):
        super().__init__(options)
        self.doors = os.path.join(options.dir, "doors")
        os.makedirs(self.doors, mode=0o700)

    def round(self):
        for _ in range(5):
            self.note("podman", self.options.engine_api.podman_run_ms())
            lived = self.options.inside("sandbox", self.options.engine, IMAGE, self.options.runner, self.doors, "1")
            self.note("life", lived["life"])
            self.note("seen", lived["seen"])

    def report(self, report):
        report.add("create..remove of a sandbox, with a step", self.middle("life"), "ms",
                   beside=("podman run --rm", self.middle("podman")), at_most=0.7)
        report.add("end of a step seen, after its last word", self.middle("seen"), "ms", at_most=20,
                   note=f"longest {max(self.rounds['seen']):.1f}")


class Waiting(Row):
    """What draftd itself takes while an agent does nothing."""
    name = "waiting"

    def __init__(self, options):
        super().__init__(options)
        work = make_repository(os.path.join(options.dir, "waiting"), CHECKED.items())
        bare = publish(work, os.path.join(options.dir, "waiting.git"))
        self.daemon = Draftd(options, "wait", {"demo/wait": bare}, f"echo begun; sleep {SILENCE_S + 1}").start()

    def round(self):
        since = len(self.daemon.lines)
        self.daemon.deliver("demo/wait")
        self.daemon.wait("event=run_claimed", since)
        while '"stage": "agent"' not in self.daemon.cli("show", "--json", self.newest()):
            time.sleep(0.05)
        time.sleep(0.5)
        before = self.daemon.cpu_ms()
        time.sleep(SILENCE_S)
        self.note("cpu", (self.daemon.cpu_ms() - before) / (SILENCE_S * 10))
        self.daemon.wait("event=run_ended", since)

    def newest(self):
        return str(json.loads(self.daemon.cli("list", "--json"))[0]["id"])

    def report(self, report):
        report.add("CPU of draftd while an agent is silent", self.middle("cpu"), "%", at_most=1)


class Draft(Row):
    """On GitHub's stand-in: one check, which runs before, after and in the proof, and takes no time."""
    name = "draft"

    def __init__(self, options):
        super().__init__(options)
        env = {**os.environ, "DRAFTD": options.draftd, "DRAFTD_TEST_ENGINE": options.engine}
        self.child = subprocess.Popen(["node", os.path.join(HERE, "drafts.mjs")], env=env, text=True,
                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        options.started.append(self)
        self.ask()

    def ask(self):
        self.child.stdin.write("\n")
        self.child.stdin.flush()
        answer = self.child.stdout.readline()
        if not answer:
            raise SystemExit("work: tests/bench/drafts.mjs ended; is what tests/setup installs there?")
        return json.loads(answer)

    def round(self):
        for _ in range(3):
            for name, value in self.ask().items():
                self.note(name, value)

    def report(self, report):
        report.add("delivery to draft, agent and checks that take no time", self.middle("draft"), "ms", at_most=1000,
                   note=f"to the claim {self.middle('claimed'):.0f}, to the end of the run {self.middle('ended'):.0f}; a repository of four files")

    def stop(self):
        self.child.stdin.close()
        self.child.wait(30)
        self.options.started.remove(self)


class Many(Row):
    """Twenty runs at once, in as many repositories and in one."""
    name = "many"

    def __init__(self, options):
        super().__init__(options)
        work = make_repository(os.path.join(options.dir, "small"), CHECKED.items())
        repositories = {f"demo/r{i}": publish(work, os.path.join(options.dir, f"small{i}.git"))
                        for i in range(AT_ONCE)}
        self.daemon = Draftd(options, "many", repositories, f"sleep {AGENT_S}; echo x >notes.txt",
                             workers=AT_ONCE).start()

    def to_last_draft(self, repositories):
        """Seconds from the first delivery, and the longest wait of those that are delivered while they run."""
        since, begun, longest = len(self.daemon.lines), time.time() * 1e3, 0
        for repository in repositories:
            self.daemon.deliver(repository)
        over = threading.Event()
        waits = []

        def deliver_others():
            while not over.wait(0.05):
                waits.append(self.daemon.deliver("demo/of-nobody"))

        others = threading.Thread(target=deliver_others)
        others.start()
        try:
            ended = self.daemon.wait("event=run_ended", since, len(repositories), 300)
        finally:
            over.set()
            others.join()
        longest = max(waits, default=0)
        if any("outcome=\"draft\"" not in line and "outcome=draft" not in line for _, line in ended):
            raise SystemExit(f"work: not every run made a draft: {ended}")
        return (ended[-1][0] - begun) / 1e3, longest

    def round(self):
        self.note("one", self.to_last_draft(["demo/r0"])[0])
        apart, waited_apart = self.to_last_draft([f"demo/r{i}" for i in range(AT_ONCE)])
        same, waited_same = self.to_last_draft(["demo/r0"] * AT_ONCE)
        self.note("apart", apart)
        self.note("same", same)
        self.note("waited", max(waited_apart, waited_same))

    def report(self, report):
        beside = ("one run", self.middle("one"))
        report.add(f"{AT_ONCE} runs at once to the last draft, each its repository", self.middle("apart"), "s",
                   beside=beside, note=f"the agent sleeps {AGENT_S} s")
        report.add(f"{AT_ONCE} runs at once to the last draft, one repository", self.middle("same"), "s",
                   beside=beside)
        report.add("longest wait of a delivery meanwhile", max(self.rounds["waited"]), "ms")
        report.add("RSS of draftd at its peak", self.daemon.peak_mb(), "MB")
