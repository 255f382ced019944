"""What measuring the work of draftd needs: a daemon of its own on the platform `local`, an engine's API called
directly, and repositories that are the same every time."""
import base64
import calendar
import hashlib
import hmac
import http.client
import json
import os
import random
import re
import secrets
import signal
import socket
import subprocess
import threading
import time

IMAGE = "draftd-test"
MEMORY_MIB = 1024
DISK_MIB = 512
TMP_MIB = 64


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def write(path, text):
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        os.fchmod(file.fileno(), 0o600)
        file.write(text)
    return path


# ---- repositories ----

GIT_ENV = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0",
           "GIT_AUTHOR_NAME": "Ann", "GIT_AUTHOR_EMAIL": "ann@example.org", "GIT_COMMITTER_NAME": "Ann",
           "GIT_COMMITTER_EMAIL": "ann@example.org", "GIT_AUTHOR_DATE": "1700000000 +0000",
           "GIT_COMMITTER_DATE": "1700000000 +0000"}


def git(*words, env=None):
    run = subprocess.run(["git", *words], env={**os.environ, **GIT_ENV, **(env or {})}, capture_output=True,
                         text=True, check=False)
    if run.returncode:
        raise SystemExit(f"work: git {' '.join(words)}: {run.stderr}")
    return run.stdout.strip()


def source_files(count=4400, total=30_000_000):
    """A tree as large as a real one, and the same each time: many small files, few large ones."""
    chance = random.Random(1)
    sizes = [chance.lognormvariate(0, 1.4) for _ in range(count)]
    scale = total / sum(sizes)
    words = ["return", "struct", "static", "while", "length", "buffer", "result", "error", "const", "size"]
    for i, size in enumerate(sizes):
        text = "".join(f"{chance.choice(words)} {chance.choice(words)} {chance.random():.6f};\n"
                       for _ in range(int(size * scale / 23) + 1))
        yield f"part{i % 17}/area{i // 17 % 24}/file{i}.c", text


def make_repository(work, files):
    """A work tree with one commit, and its path."""
    git("init", "-q", "-b", "main", work)
    for path, text in files:
        write(os.path.join(work, path), text)
    git("-C", work, "add", "-A")
    git("-C", work, "commit", "-q", "-m", "Start")
    return work


def publish(work, bare):
    git("clone", "-q", "--bare", work, bare)
    git("-C", bare, "repack", "-a", "-d", "-q") # as a server keeps it
    return bare


# ---- the engine, called directly ----

class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("engine")
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)


class Engine:
    def __init__(self, address):
        self.path = address.removeprefix("unix://")
        beside = os.path.dirname(self.path)
        self.env = dict(os.environ)
        if os.path.exists(f"{beside}/storage.conf"): # a private one: its command line needs to be told
            self.env.update(CONTAINERS_CONF=f"{beside}/containers.conf",
                            CONTAINERS_STORAGE_CONF=f"{beside}/storage.conf", TMPDIR=f"{beside}/tmp")
        self.connection = UnixConnection(self.path)

    def call(self, method, path, body=None, good=(200, 201, 204)):
        text = json.dumps(body) if body is not None else None
        self.connection.request(method, path, text, {"Content-Type": "application/json"} if text else {})
        answer = self.connection.getresponse()
        data = answer.read()
        if answer.status not in good:
            raise SystemExit(f"work: the engine answers {method} {path} with {answer.status}: {data[:300]}")
        return data

    def start_ms(self):
        """From the call that creates a container to the first instruction of what runs in it, by the clock that
        both share. The container is as draftd's own are."""
        places = {"/tmp": f"rw,exec,nosuid,nodev,size={TMP_MIB}m,mode=1777,U",
                  "/workspace": f"rw,exec,nosuid,nodev,size={DISK_MIB}m,mode=1777,U"}
        body = {"Image": IMAGE, "User": "1000:1000", "WorkingDir": "/", "Cmd": ["date", "+%s%N"],
                "HostConfig": {"NetworkMode": "none", "Memory": MEMORY_MIB << 20, "MemorySwap": MEMORY_MIB << 20,
                               "NanoCpus": 2_000_000_000, "PidsLimit": 512, "CapDrop": ["ALL"],
                               "SecurityOpt": ["no-new-privileges"], "ReadonlyRootfs": True, "IpcMode": "private",
                               "Tmpfs": places}}
        begun = time.time()
        name = json.loads(self.call("POST", "/containers/create", body))["Id"]
        self.call("POST", f"/containers/{name}/start", {})
        for _ in range(100):
            time.sleep(0.05)
            said = self.call("GET", f"/containers/{name}/logs?stdout=1")
            if len(said) > 8:
                break
        self.call("DELETE", f"/containers/{name}?force=1&v=1")
        return int(said[8:]) / 1e6 - begun * 1e3

    def podman_run_ms(self):
        begun = time.monotonic()
        subprocess.run(["podman", "run", "--rm", "--network", "none", IMAGE, "true"], env=self.env, check=True)
        return (time.monotonic() - begun) * 1e3


# ---- a daemon ----

class Draftd:
    """`draftd serve` on repositories of this machine: {"demo/name": path}."""

    def __init__(self, options, name, repositories, agent, workers=4):
        self.options = options
        self.dir = os.path.join(options.dir, name)
        self.key = secrets.token_bytes(32)
        self.port = free_port()
        self.lines = []
        self.changed = threading.Condition()
        write(f"{self.dir}/local.secret", "whsec_" + base64.b64encode(self.key).decode())
        listed = ", ".join(f'{{ name: {name}, path: "{path}" }}' for name, path in repositories.items())
        self.config = write(f"{self.dir}/draftd.yml", f"""\
listen: {{ address: 127.0.0.1, port: {self.port}, http: true }}
state_dir: {self.dir}/state
workers: {workers}
local: {{ secret_file: local.secret, repositories: [ {listed} ] }}
sandbox: {{ engine: "{options.engine}", image: {IMAGE}, memory_mib: {MEMORY_MIB}, disk_mib: {DISK_MIB},
  tmp_mib: {TMP_MIB}, cpus: 2, processes: 512 }}
agents: {{ default: script, profiles: [ {{ name: script, command: {json.dumps(agent)} }} ] }}
""")
        self.process = None

    def start(self):
        self.process = subprocess.Popen([self.options.draftd, "serve", "--config", self.config],
                                        stderr=subprocess.PIPE, text=True)
        self.options.started.append(self)
        threading.Thread(target=self.read_log, args=(self.process.stderr,), daemon=True).start()
        self.wait("event=serving", 0)
        return self

    def read_log(self, stream):
        for line in stream:
            with self.changed:
                self.lines.append((time.time() * 1e3, line))
                self.changed.notify_all()

    def wait(self, pattern, since, count=1, seconds=120):
        """The first `count` lines that match, from line `since` on: [(ms when it was read, line)]."""
        def found():
            return [line for line in self.lines[since:] if re.search(pattern, line[1])]

        with self.changed:
            if not self.changed.wait_for(lambda: len(found()) >= count, seconds):
                log = "".join(line for _, line in self.lines[-20:])
                raise SystemExit(f"work: draftd does not say {pattern}:\n{log}")
            return found()[:count]

    def deliver(self, repository, title="Mend it"):
        """Returns how long the answer took, in ms."""
        body = json.dumps({"repository": repository, "title": title, "text": "Please.", "requested_by": "ann"})
        name, now = secrets.token_hex(8), str(int(time.time()))
        mac = hmac.new(self.key, f"{name}.{now}.{body}".encode(), hashlib.sha256).digest()
        begun = time.monotonic()
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        connection.request("POST", "/webhooks/local", body, {
            "Content-Type": "application/json", "webhook-id": name, "webhook-timestamp": now,
            "webhook-signature": "v1," + base64.b64encode(mac).decode()})
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        if answer.status != 202:
            raise SystemExit(f"work: draftd answers {answer.status}: {text[:300]}")
        return (time.monotonic() - begun) * 1e3

    def run(self, repository):
        """One task to its end: when it was claimed, by draftd's log, and its number."""
        since = len(self.lines)
        self.deliver(repository)
        [(_, claimed)] = self.wait(r"event=run_claimed .*repository=\"?" + repository, since)
        task = re.search(r"task=(\d+)", claimed).group(1)
        [(_, ended)] = self.wait(rf"event=run_ended task={task} ", since)
        if "outcome=\"draft\"" not in ended and "outcome=draft" not in ended:
            raise SystemExit(f"work: a run made no draft: {ended}")
        return log_ms(claimed), task

    def cli(self, *words):
        return subprocess.run([self.options.draftd, words[0], "--config", self.config, *words[1:]],
                              capture_output=True, text=True, check=True).stdout

    def cpu_ms(self):
        """Of all threads; to the nanosecond, for waiting costs less than a tick."""
        total = 0
        tasks = f"/proc/{self.process.pid}/task"
        for task in os.listdir(tasks):
            with open(f"{tasks}/{task}/schedstat", encoding="ascii") as file:
                total += int(file.read().split()[0])
        return total / 1e6

    def peak_mb(self):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as file:
            return int(re.search(r"VmHWM:\s+(\d+)", file.read()).group(1)) / 1024

    def stop(self):
        if not self.process:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.options.started.remove(self)
        self.process = None


def log_ms(line):
    """The time at the beginning of a line of the log."""
    date, millis = re.match(r"ts=(\S+)\.(\d{3})Z", line).groups()
    return calendar.timegm(time.strptime(date, "%Y-%m-%dT%H:%M:%S")) * 1000 + int(millis)
