"""Rows about pushes: a new branch of three commits, to a server that has one ref, and to one that has many."""
import os
import statistics
import subprocess
import time

from daemon import git, make_repository, source_files

HERE = os.path.dirname(os.path.abspath(__file__))
SERVER = os.path.join(HERE, "..", "env", "git_http.sh")
TOKEN = "first-token"  # the server's own
REFS = {"one ref": 1, "18,000 refs": 18000}


class Push:
    """git's own push and draftd's, in turn, to nginx with git-http-backend over TLS."""
    name = "push"

    def __init__(self, options):
        self.options = options
        self.web = os.path.join(options.dir, "web")
        self.rounds = {}
        self.count = 0
        subprocess.run(["sh", SERVER, "check"], check=True)
        os.makedirs(self.web)
        self.url = subprocess.run(["sh", SERVER, "start", self.web], check=True, capture_output=True,
                                  text=True).stdout.strip()
        options.started.append(self)
        self.token = os.path.join(self.web, "token")
        with open(self.token, "w", encoding="ascii") as file:
            file.write(TOKEN)
        self.work = make_repository(os.path.join(options.dir, "pushed"), source_files(600, 4_000_000))
        for name, refs in REFS.items():
            self.make_server_side(self.path(name), refs)

    def path(self, name):
        return f"acme/{name.replace(' ', '-').replace(',', '')}"

    def make_server_side(self, path, refs):
        bare = f"{self.web}/srv/{path}.git"
        subprocess.run(["sh", SERVER, "repo", self.web, path], check=True)
        git("-C", self.work, "push", "-q", bare, "main")
        base = git("-C", self.work, "rev-parse", "main")
        git("-C", bare, "pack-refs", "--all")
        with open(f"{bare}/packed-refs", "a", encoding="ascii") as file:
            file.writelines(f"{base} refs/pull/{i}/head\n" for i in sorted(range(1, refs), key=str))

    def three_commits(self):
        """On top of main, new each time: their names are too."""
        self.count += 1
        git("-C", self.work, "checkout", "-q", "-B", "change", "main")
        for i in range(3):
            with open(f"{self.work}/part{i}/area0/file{i}.c", "a", encoding="ascii") as file:
                file.write(f"change {self.count} {i}\n")
            git("-C", self.work, "commit", "-q", "-a", "-m", f"Change {self.count}, {i}")
        return git("-C", self.work, "rev-parse", "change")

    def push_by_git(self, path, branch):
        url = self.url.replace("https://", f"https://x-access-token:{TOKEN}@")
        begun = time.monotonic()
        git("-C", self.work, "push", "-q", f"{url}/{path}", f"change:refs/heads/{branch}",
            env={"GIT_SSL_CAINFO": f"{self.web}/ca.crt"})
        return (time.monotonic() - begun) * 1e3

    def push_by_draftd(self, name, branch):
        mirror = os.path.join(self.options.dir, f"mirror-{branch}.git")
        git("clone", "-q", "--bare", "--single-branch", "-b", "main", self.work, mirror)
        git("-C", self.work, "push", "-q", mirror, "change:refs/draftd/1")
        return self.options.inside("push", mirror, f"{self.url}/{self.path(name)}", f"{self.web}/ca.crt", self.token,
                                   branch, git("-C", self.work, "rev-parse", "change"))

    def note(self, name, value):
        self.rounds.setdefault(name, []).append(value)

    def round(self):
        for name in REFS:
            for _ in range(3):
                self.three_commits()
                self.note(f"{name}, git", self.push_by_git(self.path(name), f"git-{self.count}"))
                self.three_commits()
                took = self.push_by_draftd(name, f"ours-{self.count}")
                self.note(f"{name}, push", took["push"])
                self.note(f"{name}, published", took["look"] + took["push"])

    def report(self, report):
        for name, goal in zip(REFS, (1.3, 1.0)):
            beside = ("git push", statistics.median(self.rounds[f"{name}, git"]))
            report.add(f"push of 3 commits, {name} on the server", statistics.median(self.rounds[f"{name}, push"]),
                       "ms", beside=beside, at_most=goal)
            report.add(f"the same with the look before it, {name}",
                       statistics.median(self.rounds[f"{name}, published"]), "ms", beside=beside)

    def stop(self):
        subprocess.run(["sh", SERVER, "stop", self.web], check=False)
        self.options.started.remove(self)
