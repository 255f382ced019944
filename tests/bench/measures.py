"""What of receiving is measured, with the goals: for each measure the loads that it needs, and its rows."""
import statistics
import threading
import time

import kept
import servers
from load import LARGE_BYTES, send_large, sign

# name of the load, its server, what it is called, how many times as fast draftd is to be
PEERS = (
    ("octokit", "@octokit/webhooks", 2),
    ("probot", "probot", 3),
    ("webhook", "webhook, no command", 3.5),
    ("webhook-command", "webhook, a command", 8),
)
YARDSTICK = "bare yardstick"
CONNECTIONS = (16, 64, 256, 512)


def add_connections(bench):
    """In rising order: what was resident with many connections would still be with few."""
    for connections in CONNECTIONS:
        bench.add(f"reference, {connections}", "reference", connections)
        bench.add(f"draftd, {connections}", "draftd", connections)


def rate_row(bench, report, what, name, other, called, goal=None):
    if other not in bench.loads:
        report.missing(what, f"{called} is not installed", goal)
        return
    report.add(what, bench.value(name, "rate"), "/s", (called, bench.value(other, "rate")), at_least=goal,
               ratio=bench.ratio(name, other), note=bench.loads[name].trouble())


def add_durable(bench):
    add_connections(bench)
    for name, _, _ in PEERS:
        bench.add(name, name)


def tell_durable(bench, report):
    for connections in CONNECTIONS:
        rate_row(bench, report, f"durable, {connections} connections", f"draftd, {connections}",
                 f"reference, {connections}", YARDSTICK, 0.5 if connections == 64 else None)
    for name, called, goal in PEERS:
        rate_row(bench, report, "durable, 64 connections", "draftd, 64", name, called, goal)
    report.add("CPU of a delivery", bench.value("draftd, 64", "cpu"), "us", at_most=110)
    for name, called in (("reference, 64", YARDSTICK), *((name, called) for name, called, _ in PEERS)):
        if name in bench.loads:
            report.add("CPU of a delivery", bench.value("draftd, 64", "cpu"), "us", (called, bench.value(name, "cpu")))


def add_wrong(bench):
    bench.add("reference, 64", "reference")
    bench.add("draftd, wrong signature", "draftd", headers="bad")


def tell_wrong(bench, report):
    rate_row(bench, report, "wrong signature, 64 connections", "draftd, wrong signature", "reference, 64",
             YARDSTICK, 0.9)


def add_pace(bench):
    bench.add("draftd at 400/s", "draftd", 16, pause_ms=40)
    bench.add("octokit at 400/s", "octokit", 16, pause_ms=40)


def tell_pace(bench, report):
    flush_ms = bench.value("draftd at 400/s", "flush") / 1000
    note = f"a flush: {flush_ms:.2f} ms"
    report.add("at 400/s, p50", bench.value("draftd at 400/s", "p50") / 1000, "ms",
               ("a flush + 0.6 ms", flush_ms + 0.6), at_most=1, note=note)
    if "octokit at 400/s" not in bench.loads:
        report.missing("at 400/s, p99", "@octokit/webhooks is not installed", at_most=0.4)
        return
    report.add("at 400/s, p99", bench.value("draftd at 400/s", "p99") / 1000, "ms",
               ("@octokit/webhooks", bench.value("octokit at 400/s", "p99") / 1000), at_most=0.4,
               ratio=bench.ratio("draftd at 400/s", "octokit at 400/s", "p99"))


FLUSHES = ((2, 12), (10, 18))


def add_flush(bench):
    for cost, _ in FLUSHES:
        bench.add(f"flush of {cost} ms, alone", f"draftd-flush-{cost}", 1)
        bench.add(f"flush of {cost} ms", f"draftd-flush-{cost}")


def tell_flush(bench, report):
    """One connection waits for each of its commits: that is one commit per delivery."""
    for cost, goal in FLUSHES:
        if f"flush of {cost} ms" in bench.loads:
            rate_row(bench, report, f"a flush costs {cost} ms, 64 connections", f"flush of {cost} ms",
                     f"flush of {cost} ms, alone", "one commit each", goal)
        else:
            report.missing(f"a flush costs {cost} ms", "--slow-flush was not given", goal)


def add_crowd(bench):
    bench.add("draftd, 16", "draftd", 16)
    bench.add("draftd, 512 and 200 slow", "draftd", 512, slow=200, gaps=True)


def tell_crowd(bench, report):
    rate_row(bench, report, "512 uploading and 200 slow ones", "draftd, 512 and 200 slow", "draftd, 16",
             "16 connections", 0.8)
    report.add("the longest time without an answer", bench.value("draftd, 512 and 200 slow", "gap") / 1000, "ms",
               at_most=100)


def tell_memory(bench, report):
    server = bench.server("draftd-memory")
    report.add("resident, idle", server.idle_mb, "MB", at_most=12)
    for connections in CONNECTIONS:
        report.add(f"resident at most, {connections} connections", bench.loads[f"draftd, {connections}"].first("peak"),
                   "MB", at_most=28 if connections == 256 else None)
    body = b'{"padding":"' + b"x" * LARGE_BYTES + b'"}'
    signature = sign(body)
    answers = []
    server.forget_peak()
    threads = [threading.Thread(target=lambda i=i: answers.append(send_large(server, body, signature, f"large-{i}")))
               for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    others = [answer for answer in answers if " 202 " not in answer]
    report.add("four 25 MB bodies at once: more than idle", server.status("VmHWM") / 1024 - server.idle_mb, "MB",
               at_most=16, note=" ".join(others))


def starts(options, name, count, keep):
    """The middle of some starts, each ended again."""
    times = []
    for _ in range(count):
        server = servers.start_draftd(options, name, keep=keep)
        times.append(server.start_ms)
        server.stop()
        options.servers.remove(server)
    return statistics.median(times)


def tell_start(bench, report):
    options = bench.options
    count = 2 * options.rounds + 1
    report.add("start to accept, for the first time", starts(options, "draftd-start", count, False), "ms", at_most=25)
    report.add("start to accept, nothing kept", starts(options, "draftd-start", count, True), "ms", at_most=25)
    kept.fill(f"{options.dir}/draftd-start/state/draftd.db", int(time.time() * 1000))
    report.add("start to accept, a million tasks kept", starts(options, "draftd-start", count, True), "ms", at_most=25)


def add_tls(bench):
    bench.add("draftd, 64", "draftd")
    bench.add("draftd TLS", "draftd-tls")
    bench.add("draftd TLS, new connections", "draftd-tls", 16, headers="bad", close=True)
    bench.add("nginx TLS, new connections", "nginx", 16, close=True)


def tell_tls(bench, report):
    report.add("TLS, keep-alive: CPU of a delivery", bench.value("draftd TLS", "cpu"), "us",
               ("plain", bench.value("draftd, 64", "cpu")), at_most=1.2)
    if "nginx TLS, new connections" not in bench.loads:
        report.missing("TLS handshake, P-256: CPU", "nginx is not installed", at_most=2)
        return
    report.add("TLS handshake, P-256: CPU", bench.value("draftd TLS, new connections", "cpu"), "us",
               ("nginx", bench.value("nginx TLS, new connections", "cpu")), at_most=2)


MEASURES = {
    "durable": (add_durable, tell_durable),
    "wrong": (add_wrong, tell_wrong),
    "pace": (add_pace, tell_pace),
    "flush": (add_flush, tell_flush),
    "crowd": (add_crowd, tell_crowd),
    "memory": (add_connections, tell_memory),
    "start": (lambda bench: None, tell_start),
    "tls": (add_tls, tell_tls),
}
