"""Rows about the store: claims, and what is asked of a store with a million tasks."""
import os
import statistics
import subprocess
import time
import urllib.request

from daemon import Draftd, git

KEPT = {"a thousand": 1000, "a million": 1_000_000}
CLAIMS = 300
WAITERS = 16


class Kept:
    """A store with many tasks kept, made once and shared by the rows of this file."""
    made = {}

    @classmethod
    def get(cls, options, name):
        if name not in cls.made:
            git("init", "-q", "--bare", f"{options.dir}/hot.git")
            daemon = Draftd(options, f"kept-{KEPT[name]}", {"demo/hot": f"{options.dir}/hot.git"}, "true")
            os.makedirs(f"{daemon.dir}/state", mode=0o700)
            options.inside("fill", f"{daemon.dir}/state/draftd.db", str(KEPT[name]))
            cls.made[name] = daemon
        return cls.made[name]


def middle(rounds, name):
    return statistics.median(rounds[name])


class Claims:
    """Claims, one after the other and by many at once, as workers do them."""
    name = "claims"

    def __init__(self, options):
        self.options = options
        self.stores = {name: f"{Kept.get(options, name).dir}/state/draftd.db" for name in KEPT}
        self.rounds = {}

    def note(self, name, value):
        self.rounds.setdefault(name, []).append(value)

    def round(self):
        for name, store in self.stores.items():
            taken = self.options.inside("claims", store, str(CLAIMS))
            self.note(f"{name}, claim", taken["claim"] * 1e3)
            self.note(f"{name}, flush", taken["flush"] * 1e3)
        rush = self.options.inside("rush", self.stores["a million"], str(WAITERS), "40")
        self.note("longest", rush["longest"])
        alone = self.options.inside("rush", self.stores["a million"], "1", "300")
        self.note("longest alone", alone["longest"])
        if self.options.slow_flush:
            taken = self.options.inside("claims", self.stores["a million"], "40", env={
                "LD_PRELOAD": self.options.slow_flush, "SLOW_FLUSH_MS": "2"})
            self.note("slow, claim", taken["claim"])
            self.note("slow, flush", taken["flush"])

    def report(self, report):
        for name in KEPT:
            report.add(f"claim, {name} tasks kept, p50", middle(self.rounds, f"{name}, claim"), "us",
                       beside=("fdatasync", middle(self.rounds, f"{name}, flush")), at_most=2)
        report.add("claim, a million kept, half of one repository", middle(self.rounds, "a million, claim"), "us",
                   beside=("a thousand", middle(self.rounds, "a thousand, claim")), at_most=1.5)
        report.add(f"longest wait of {WAITERS} that claim at once", middle(self.rounds, "longest"), "ms", at_most=10,
                   note=f"one that claims alone {middle(self.rounds, 'longest alone'):.1f}")
        if self.options.slow_flush:
            report.add("claim, where a flush costs 2 ms", middle(self.rounds, "slow, claim"), "ms",
                       beside=("fdatasync", middle(self.rounds, "slow, flush")), at_most=2)


def times_ms(count, action):
    times = []
    for _ in range(count):
        begun = time.monotonic()
        action()
        times.append((time.monotonic() - begun) * 1e3)
    return statistics.median(times)


class Listing:
    """What people ask, and a start, with a million tasks kept."""
    name = "kept"

    def __init__(self, options):
        self.options = options
        self.daemons = {name: Kept.get(options, name) for name in KEPT}
        self.rounds = {}

    def start_ms(self, daemon):
        """Until it says that it is ready, to who asks over and over."""
        begun = time.monotonic()
        with subprocess.Popen([self.options.draftd, "serve", "--config", daemon.config],
                              stderr=subprocess.DEVNULL) as process:
            while time.monotonic() < begun + 30:
                try:
                    urllib.request.urlopen(f"http://127.0.0.1:{daemon.port}/readyz", timeout=5).close()
                    break
                except OSError:
                    time.sleep(0.0005)
            took = (time.monotonic() - begun) * 1e3
            process.terminate()
        return took

    def round(self):
        for name, daemon in self.daemons.items():
            self.rounds.setdefault(f"{name}, list", []).append(times_ms(5, lambda d=daemon: d.cli("list")))
            self.rounds.setdefault(f"{name}, show", []).append(
                times_ms(5, lambda d=daemon: d.cli("show", "500")))
            self.rounds.setdefault(f"{name}, start", []).append(self.start_ms(daemon))

    def report(self, report):
        for what, words in (("list", "`draftd list`"), ("show", "`draftd show`"),
                            ("start", "start to ready, all roles")):
            report.add(f"{words}, a million kept", middle(self.rounds, f"a million, {what}"), "ms",
                       beside=("a thousand", middle(self.rounds, f"a thousand, {what}")))
