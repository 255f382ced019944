"""The receivers under load, each a process of its own: draftd, and what else answers signed webhooks."""
import json
import os
import shutil
import signal
import socket
import subprocess
import time

from load import HERE, SECRET, write

TICKS = os.sysconf("SC_CLK_TCK")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """A process under load. `options.cpus` pins it; the load runs on the other processor."""

    def __init__(self, options, name, command, port=None, env=None, scheme="http", path="/webhooks/github"):
        self.name, self.scheme, self.path = name, scheme, path
        log = open(os.path.join(options.dir, name + ".log"), "ab")
        started = time.monotonic()
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE if port is None else log, stderr=log, cwd=options.dir,
            env={**os.environ, **(env or {})}, start_new_session=True,
            preexec_fn=None if options.all_cpus else lambda: os.sched_setaffinity(0, {options.cpus[0]}))
        options.servers.append(self)
        self.port = port or int(self.process.stdout.readline())
        self.wait_until_it_accepts(started, log.name)
        self.start_ms = (time.monotonic() - started) * 1000
        time.sleep(0.3)
        self.idle_mb = self.status("VmRSS") / 1024

    def wait_until_it_accepts(self, started, log):
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > started + 30:
                    raise SystemExit(f"receive: {self.name} does not serve; see {log}") from None
                time.sleep(0.0005)

    def status(self, field):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as file:
            for line in file:
                if line.startswith(field + ":"):
                    return int(line.split()[1])
        return 0

    def forget_peak(self):
        with open(f"/proc/{self.process.pid}/clear_refs", "w", encoding="ascii") as file:
            file.write("5")

    def cpu_us(self):
        """Of the process and of the children that it has waited for."""
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return sum(int(fields[i]) for i in (11, 12, 13, 14)) * 1_000_000 // TICKS

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def start_reference(options):
    return Server(options, "reference", [options.reference, SECRET])


def draftd_config(options, name, port, http=True):
    """A configuration and a state directory of its own. The directory is left as it is when it is there."""
    base = os.path.join(options.dir, name)
    os.makedirs(os.path.join(base, "state"), mode=0o700, exist_ok=True)
    write(os.path.join(base, "secret"), SECRET)
    write(os.path.join(base, "token"), "not-a-token")
    return write(os.path.join(base, "draftd.yml"), f"""\
listen: {{ address: 127.0.0.1, port: {port}, http: {"true" if http else "false"} }}
state_dir: {base}/state
log_level: warning
github:
  webhook_secret_file: {base}/secret
  token_file: {base}/token
  login: bench
  repositories: [ "acme/*" ]
agents:
  default: none
  profiles: [ {{ name: none, command: "true" }} ]
""")


def start_draftd(options, name, http=True, env=None, keep=False):
    """The real program; only its receiving side. With `keep` on the store that is there."""
    if not keep:
        shutil.rmtree(os.path.join(options.dir, name), ignore_errors=True)
    port = free_port()
    config = draftd_config(options, name, port, http)
    return Server(options, name, [options.draftd, "serve", "--config", config, "--role", "receive"],
                  port, env, "http" if http else "https")


def start_webhook(options, name, runs_command):
    """Debian's webhook: the same check of the signature, and nothing stored."""
    rules = [{"match": {"type": "payload-hmac-sha256", "secret": SECRET,
                        "parameter": {"source": "header", "name": "X-Hub-Signature-256"}}}]
    if not runs_command:
        rules.append({"match": {"type": "value", "value": "never",
                                "parameter": {"source": "header", "name": "X-GitHub-Event"}}})
    hooks = write(os.path.join(options.dir, name + ".json"), json.dumps(
        [{"id": "github", "execute-command": "/bin/true", "trigger-rule": {"and": rules}}]))
    port = free_port()
    return Server(options, name, ["webhook", "-hooks", hooks, "-ip", "127.0.0.1", "-port", str(port)],
                  port, path="/hooks/github")


def start_octokit(options):
    """GitHub's own library for webhooks, as the middleware of node's http server."""
    port = free_port()
    return Server(options, "octokit", ["node", os.path.join(HERE, "octokit.mjs"), options.packages, str(port)],
                  port, {"WEBHOOK_SECRET": SECRET, "NODE_ENV": "production"})


def start_probot(options):
    """As its documentation runs an app in production: `probot run`, an id, a key, a secret. It logs each request
    by default; here it does not, as the others do not."""
    port = free_port()
    key = os.path.join(options.dir, "probot.pem")
    subprocess.run(["openssl", "genrsa", "-traditional", "-out", key, "2048"], check=True, capture_output=True)
    env = {"APP_ID": "1", "PRIVATE_KEY_PATH": key, "WEBHOOK_SECRET": SECRET, "NODE_ENV": "production",
           "LOG_LEVEL": "warn", "HOST": "127.0.0.1", "PORT": str(port), "WEBHOOK_PATH": "/webhooks/github"}
    program = os.path.join(options.packages, "node_modules", "probot", "bin", "probot.js")
    return Server(options, "probot", ["node", program, "run", os.path.join(HERE, "probot_app.mjs")], port, env)


def start_nginx(options, certificate, key):
    """For the price of a TLS handshake."""
    port = free_port()
    base = os.path.join(options.dir, "nginx")
    os.makedirs(base, exist_ok=True)
    config = write(os.path.join(base, "nginx.conf"), f"""\
daemon off; master_process off; pid {base}/pid; error_log {base}/error.log;
events {{ worker_connections 2000; }}
http {{ access_log off; client_body_temp_path {base}/b; proxy_temp_path {base}/p;
  fastcgi_temp_path {base}/f; uwsgi_temp_path {base}/u; scgi_temp_path {base}/s;
  server {{ listen 127.0.0.1:{port} ssl; ssl_certificate {certificate}; ssl_certificate_key {key};
    ssl_session_cache off; ssl_session_tickets off; location / {{ return 202; }} }} }}
""")
    return Server(options, "nginx", ["nginx", "-c", config, "-p", base], port, scheme="https", path="/")
