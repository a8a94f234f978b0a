"""One aggregator and a few contributors as separate processes on loopback, each with its own home,
key and TLS connection. The demo, the chaos tests and the bad-input tests are built on this.

Whatever is started here ends when Swarm.stop() is called or when the process that made it dies, by
whatever cause: the kernel is asked to end the children with their parent (PR_SET_PDEATHSIG).
"""
import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import time

# About five million parameters; small enough to learn on two cores while you watch.
DEMO = {"vocab": 2048, "hidden": 256, "intermediate": 688, "layers": 6, "heads": 8, "kv-heads": 4,
        "seq": 128, "batch": 4, "lr": "3e-3", "warmup-steps": 40}
# For tests of everything but the learning: a step takes milliseconds.
TINY = {"vocab": 320, "hidden": 32, "intermediate": 64, "layers": 2, "heads": 4, "kv-heads": 2,
        "seq": 32, "batch": 2}
STATUS_CODES = (0, 3, 4)  # at work, paused, waiting: `potluck help status`
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None, use_errno=True)


class SwarmError(Exception):
    """Something went wrong; the text is one sentence for a person."""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def die_with_parent():
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def tail(path, n=12):
    try:
        with open(path, encoding="utf-8", errors="replace") as f:
            return "".join("    " + line for line in f.readlines()[-n:])
    except OSError:
        return ""


class Swarm:
    """Owns the processes below one folder: FOLDER/aggregator, FOLDER/contributor-1, -2, ..."""

    def __init__(self, folder, programs, threads=1, say=None):
        self.folder = folder
        self.programs = programs
        self.threads = threads
        self.say = say or (lambda text: print(text, file=sys.stderr, flush=True))
        self.agent_options = []
        self.serve_options = []
        self.invite = None
        self.processes = {}  # "aggregator" or a number: Popen
        self.env = {k: v for k, v in os.environ.items()
                    if not k.startswith("XDG_") and k != "POTLUCK_HOME"}
        self.env.setdefault("POTLUCK_GEAR", "full")  # nobody's desktop: what is asked for is at once done
        os.makedirs(folder, exist_ok=True)

    # names and places

    def home(self, who):
        return os.path.join(self.folder, "aggregator" if who == "aggregator" else f"contributor-{who}")

    def log(self, who):
        return self.home(who) + ".log"

    def command(self, who, *args):
        program = "potluck-aggregator" if who == "aggregator" else "potluck"
        return [os.path.join(self.programs, program), *map(str, args), "--home", self.home(who)]

    # running commands

    def run(self, who, *args, timeout=600):
        """Run a command to its end; its standard output. SwarmError when it fails."""
        done = self.attempt(who, *args, timeout=timeout)
        if done.returncode:
            raise SwarmError(f"'{' '.join(args[:1])}' of {who} failed with code {done.returncode}: "
                             f"{done.stderr.strip()[-600:]}")
        return done.stdout

    def attempt(self, who, *args, timeout=600):
        try:
            return subprocess.run(self.command(who, *args), env=self.env, text=True,
                                  stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout)
        except subprocess.TimeoutExpired as e:
            raise SwarmError(f"'{' '.join(args[:1])}' of {who} did not end in {timeout} s") from e

    def make_run(self, text, model, *options):
        """Prepare the text and describe the run; self.invite is the link to it afterwards."""
        shape = [x for k, v in model.items() if k != "vocab" for x in (f"--{k}", str(v))]
        where = () if "--listen" in options else ("--listen", "127.0.0.1:0")
        self.run("aggregator", "init", *where, *shape, *map(str, options))
        said = self.attempt("aggregator", "prepare", text, "--vocab", str(model["vocab"]))
        if said.returncode:
            raise SwarmError(f"preparing the text failed: {said.stderr.strip()[-600:]}")
        self.invite = said.stdout.strip()
        return said.stderr

    def start_party(self, who):
        """Start the aggregator, or contributor number `who`; again after a death."""
        if who == "aggregator":
            command = self.command(who, "serve", *self.serve_options)
        else:
            command = [os.path.join(self.programs, "potluck-agent"), "--home", self.home(who),
                       *(["--threads", str(self.threads)] if self.threads else []), *self.agent_options]
        with open(self.log(who), "ab") as log:
            self.processes[who] = subprocess.Popen(
                command, env=self.env, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                preexec_fn=die_with_parent, start_new_session=True)

    def join(self, i, source=None):
        """Contributor i accepts the run: by its link, or any other link or file."""
        self.run(i, "join", "--no-agent", source or self.invite, timeout=60)

    def status(self, who):
        """The party's own account of itself, or None when it cannot be asked just now."""
        done = self.attempt(who, "status", "--json", timeout=30)
        if done.returncode not in STATUS_CODES:
            return None
        try:
            return json.loads(done.stdout)
        except json.JSONDecodeError as e:
            raise SwarmError(f"status --json of {who} is not JSON: {e}") from e

    def serving(self):
        """The aggregator's status when it answers, None while it does not."""
        self.require_all_alive()
        host = self.status("aggregator")
        return host if host and host["state"] != "stopped" else None

    # ends

    def is_running(self, who):
        return who in self.processes and self.processes[who].poll() is None

    def dead(self):
        """Names of processes that ended though nobody asked them to."""
        return [who for who in self.processes if not self.is_running(who)]

    def require_all_alive(self):
        for who in self.dead():
            code = self.processes[who].returncode
            how = f"was ended by signal {-code}" if code < 0 else f"ended with code {code}"
            raise SwarmError(f"{self.name(who)} {how}; the end of its log:\n{tail(self.log(who))}")

    @staticmethod
    def name(who):
        return "the aggregator" if who == "aggregator" else f"contributor {who}"

    def kill(self, who):
        """kill -9, and wait until it is gone."""
        p = self.processes.pop(who)
        p.kill()
        p.wait()

    def end(self, who, patience_s=15):
        """Ask it to end in order; returns its exit code, or None when it had to be killed."""
        if who not in self.processes:
            return 0
        self.processes[who].terminate()
        return self.wait(who, patience_s)

    def wait(self, who, patience_s):
        p = self.processes.pop(who)
        try:
            return p.wait(patience_s)
        except subprocess.TimeoutExpired:
            p.kill()
            p.wait()
            return None

    def stop(self):
        """End everything that was started here: contributors first, then the aggregator."""
        ended = {}
        for p in self.processes.values():
            if p.poll() is None:
                p.terminate()
        for who in sorted(self.processes, key=lambda w: w == "aggregator"):
            ended[who] = self.wait(who, 15)
        return ended


def wait_for(what, seconds, test, every_s=0.2):
    """Call test() until it returns something true; SwarmError after so many seconds."""
    end = time.monotonic() + seconds
    while True:
        result = test()
        if result:
            return result
        if time.monotonic() > end:
            raise SwarmError(f"{what} did not happen within {seconds:.0f} s")
        time.sleep(every_s)
