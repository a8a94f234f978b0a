"""A fresh Debian 12 in a folder, for walks: debootstrap's smallest, with this machine's mirror, one user called
volunteer, and no way to forget a process or a mount. Needs root and debootstrap.

    with FreshRoot(base) as root:
        root.run("apt-get install -y ./potluck_0.1.0_amd64.deb", cwd="/root")
        root.run("potluck status", user="volunteer")

`base` is a folder that debootstrap made before, or None: then it is made here (a minute).
"""
import os
import shlex
import shutil
import signal
import subprocess
import tempfile
import time

SUITE = "bookworm"


def mirror():
    """Where this machine gets Debian from."""
    got = subprocess.run(["apt-get", "indextargets", "--format", "$(REPO_URI) $(CODENAME) $(COMPONENT)",
                          "Created-By: Packages"], capture_output=True, text=True, check=True).stdout
    for line in got.splitlines():
        uri, codename, component = line.split(" ")
        if codename == SUITE and component == "main":
            return uri
    raise SystemExit(f"this machine has no source of Debian {SUITE}")


def make_base(folder):
    subprocess.run(["debootstrap", "--variant=minbase", SUITE, folder, mirror()], check=True,
                   stdout=subprocess.DEVNULL)


def needs():
    """What is missing to make one, as a sentence; None when nothing is."""
    if os.geteuid() != 0:
        return "a fresh system needs root"
    if not shutil.which("debootstrap"):
        return "debootstrap is not installed"
    return None


class FreshRoot:
    def __init__(self, base=None):
        self.base = base
        self.path = None
        self.mounted = []

    def __enter__(self):
        self.path = os.path.realpath(tempfile.mkdtemp(prefix="potluck-root."))
        try:
            self.fill()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def fill(self):
        if self.base:
            subprocess.run(["cp", "-a", "--reflink=auto", self.base + "/.", self.path], check=True)
        else:
            make_base(self.path)
        os.chmod(self.path, 0o755)
        for kind, what, where in (("proc", "proc", "proc"), ("bind", "/dev", "dev"), ("tmpfs", "tmpfs", "run")):
            place = os.path.join(self.path, where)
            how = ["--bind", what] if kind == "bind" else ["-t", kind, what]
            subprocess.run(["mount", *how, place], check=True)
            self.mounted.append(place)
        shutil.copy("/etc/resolv.conf", self.path + "/etc/resolv.conf")
        folder = "/etc/apt/apt.conf.d"
        for name in os.listdir(folder):  # a proxy and the like
            with open(f"{folder}/{name}", encoding="utf-8") as f:
                if "Acquire::" in f.read() and "Dir::" not in name and "docker" not in name:
                    shutil.copy(f"{folder}/{name}", f"{self.path}{folder}/{name}")
        # No service may be started in here, as in any container.
        with open(self.path + "/usr/sbin/policy-rc.d", "w", encoding="utf-8") as f:
            f.write("#!/bin/sh\necho \"policy-rc.d was asked: $*\" >>/var/log/policy-rc.d.log\nexit 101\n")
        os.chmod(self.path + "/usr/sbin/policy-rc.d", 0o755)
        self.run("useradd --create-home --shell /bin/bash volunteer")

    def processes(self):
        """Ids of all that run in here."""
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                if os.readlink(f"/proc/{pid}/root") == self.path:
                    found.append(int(pid))
            except OSError:
                continue
        return found

    def __exit__(self, *_):
        for sig in (signal.SIGTERM, signal.SIGKILL):
            for pid in self.processes():
                try:
                    os.kill(pid, sig)
                except ProcessLookupError:
                    pass
            end = time.monotonic() + 20
            while self.processes() and time.monotonic() < end and sig == signal.SIGTERM:
                time.sleep(0.1)
        for place in reversed(self.mounted):
            subprocess.run(["umount", "--lazy", place], check=False)
        if all(not os.path.ismount(m) for m in self.mounted):
            shutil.rmtree(self.path, ignore_errors=True)

    def command(self, line, user="root", cwd=None):
        home = "/root" if user == "root" else f"/home/{user}"
        env = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": home, "USER": user,
               "LC_ALL": "C.UTF-8", "TERM": "xterm-256color", "DEBIAN_FRONTEND": "noninteractive"}
        words = ["chroot", self.path, "env", "-i", *(f"{k}={v}" for k, v in env.items())]
        if user != "root":
            words += ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups"]
        return [*words, "bash", "-c", f"cd {shlex.quote(cwd or home)} || exit\n{line}"]

    def attempt(self, line, user="root", cwd=None, timeout=600):
        """Run a line of bash; nothing is typed to it."""
        return subprocess.run(self.command(line, user, cwd), stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=timeout, check=False)

    def run(self, line, user="root", cwd=None, timeout=600):
        done = self.attempt(line, user, cwd, timeout)
        if done.returncode:
            raise SystemExit(f"in the fresh system, as {user}: {line}\nended with {done.returncode}: "
                             f"{done.stdout[-1500:]}{done.stderr[-1500:]}")
        return done.stdout

    def put(self, path, into="/root"):
        """Copy a file in; its place in there."""
        shutil.copy(path, self.path + into)
        return f"{into}/{os.path.basename(path)}"

    def has(self, path):
        return os.path.lexists(self.path + path)
