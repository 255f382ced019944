"""What receivers are loaded with: signed deliveries by wrk, large ones, slow clients. To 127.0.0.1 only."""
import hashlib
import hmac
import json
import os
import re
import socket
import statistics
import subprocess
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
SECRET = "a-secret-for-measuring-only-0123"
LARGE_BYTES = 25 * 1024 * 1024 - 1024


def payload():
    """An issue that got a label, as large as such a delivery is: 12.5 KB."""
    person = {"login": "octo", "id": 1, "type": "User", "site_admin": False}
    urls = ["comments", "commits", "events", "forks", "hooks", "issues", "keys", "labels", "merges",
            "milestones", "pulls", "releases", "statuses", "subscribers", "tags", "teams", "trees"]
    person.update({f"{u}_url": f"https://api.example.com/users/octo/{u}{{/other}}" for u in urls})
    repository = {"id": 2, "name": "api", "full_name": "acme/api", "owner": person, "private": False}
    repository.update({f"{u}_url": f"https://api.example.com/repos/acme/api/{u}{{/number}}" for u in urls})
    label = {"id": 3, "name": "draftd", "color": "ededed", "default": False}
    issue = {"number": 7, "title": "Division by zero", "user": person, "labels": [label],
             "state": "open", "assignees": [person], "body": ""}
    event = {"action": "labeled", "issue": issue, "label": label, "repository": repository,
             "sender": person}
    issue["body"] = "calc 1 / 0 ends with a signal. " * 400
    excess = len(json.dumps(event)) - 12470
    issue["body"] = issue["body"][:-excess]
    return json.dumps(event).encode()


def sign(body):
    return hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()


def write(path, text, mode=0o600):
    with open(path, "wb") as file:
        os.fchmod(file.fileno(), mode)
        file.write(text if isinstance(text, bytes) else text.encode())
    return path


def write_requests(directory):
    """The files that deliveries.lua makes its requests of."""
    body = payload()
    write(os.path.join(directory, "body"), body)
    for name, signature in (("good", sign(body)), ("bad", sign(b"another body"))):
        head = (f"X-GitHub-Event: issues\r\nContent-Type: application/json\r\n"
                f"User-Agent: GitHub-Hookshot/0000000\r\nAccept: */*\r\n"
                f"X-Hub-Signature-256: sha256={signature}\r\n")
        write(os.path.join(directory, name + ".head"), head)
        write(os.path.join(directory, name + "-close.head"), head + "Connection: close\r\n")


class Load:
    """What is sent to one server, and what was measured, round by round."""

    def __init__(self, name, server, connections=64, headers="good", pause_ms=0, close=False, slow=0,
                 gaps=False):
        self.name, self.server, self.connections = name, server, connections
        self.pause_ms, self.slow, self.gaps = pause_ms, slow, gaps
        self.head = headers + ("-close" if close else "") + ".head"
        self.refused = headers == "bad"
        self.rounds = []

    def command(self, options, number):
        prefix = f"{re.sub('[^a-z0-9]+', '-', self.name.lower())}-{number}"
        server = self.server
        command = ["wrk", "-t1", f"-c{self.connections}", f"-d{options.seconds}s", "--timeout", "10s", "-s",
                   os.path.join(HERE, "deliveries.lua"),
                   f"{server.scheme}://127.0.0.1:{server.port}{server.path}", "--",
                   os.path.join(options.dir, self.head), os.path.join(options.dir, "body"), prefix,
                   str(self.pause_ms), "gaps" if self.gaps else ""]
        return command if options.all_cpus else ["taskset", "-c", str(options.cpus[1])] + command

    def run(self, options, number):
        server = self.server
        clients = [slow_client(server.port) for _ in range(self.slow)]
        flush = flush_us(options.dir) if self.pause_ms else 0
        server.forget_peak()
        before = server.cpu_us()
        output = subprocess.run(self.command(options, number), capture_output=True, text=True, check=False).stdout
        cpu_us = server.cpu_us() - before
        for client in clients:
            client.close()
        found = [line[7:] for line in output.splitlines() if line.startswith("RESULT ")]
        if not found:
            raise SystemExit(f"receive: wrk failed against {server.name}: {output}")
        result = json.loads(found[0])
        result["rate"] = result["requests"] * 1e6 / result["us"]
        result["cpu"] = cpu_us / max(result["requests"], 1)
        result["peak"] = server.status("VmHWM") / 1024
        result["flush"] = flush
        self.rounds.append(result)

    def value(self, field):
        """The middle round; of CPU the cheapest: whatever else the machine does only adds to it."""
        values = [r[field] for r in self.rounds]
        return min(values) if field == "cpu" else statistics.median(values)

    def first(self, field):
        return self.rounds[0][field]

    def trouble(self):
        """What was answered otherwise than expected, in all rounds."""
        wrong = sum(r["status"] for r in self.rounds)
        if self.refused:
            wrong = sum(r["requests"] for r in self.rounds) - wrong
        broken = sum(r["broken"] for r in self.rounds)
        return ", ".join(filter(None, (f"{wrong} answered otherwise" if wrong else "",
                                       f"{broken} broken" if broken else "")))


def slow_client(port):
    """A connection that says a part of a head, and then nothing more."""
    client = socket.create_connection(("127.0.0.1", port), 5)
    client.sendall(b"POST /webhooks/github HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
    return client


def send_large(server, body, signature, name):
    """One large delivery; returns the status line."""
    with socket.create_connection(("127.0.0.1", server.port), 60) as client:
        client.settimeout(60)
        head = (f"POST {server.path} HTTP/1.1\r\nHost: localhost\r\nX-GitHub-Event: push\r\n"
                f"Content-Type: application/json\r\nX-GitHub-Delivery: {name}\r\n"
                f"X-Hub-Signature-256: sha256={signature}\r\nContent-Length: {len(body)}\r\n\r\n")
        client.sendall(head.encode())
        client.sendall(body)
        return client.recv(64).decode(errors="replace").split("\r\n")[0]


def flush_us(directory):
    """What this disk takes to append 4 KB and to flush them, in the middle."""
    times = []
    with tempfile.TemporaryFile(dir=directory) as file:
        for _ in range(300):
            started = time.monotonic()
            os.write(file.fileno(), b"x" * 4096)
            os.fdatasync(file.fileno())
            times.append((time.monotonic() - started) * 1e6)
    return statistics.median(times)
