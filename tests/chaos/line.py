"""A home line between two network namespaces of our own, made by tests/chaos/shaper. Needs root and
/dev/net/tun; Line.why_not() says what is missing, for tests that then report themselves skipped.

    with Line(shaper, up=20, down=100, rtt=80, loss=1) as line:
        line.popen("home", [...]); line.popen("host", [...])     addresses: line.HOME, line.HOST
"""
import ctypes
import json
import os
import shutil
import subprocess

CLONE_NEWNET = 0x40000000


def ip(*args):
    subprocess.run(["ip", *args], check=True, capture_output=True, text=True)


class Line:
    HOME, HOST = "10.213.7.1", "10.213.7.2"

    def __init__(self, shaper, up, down, rtt, loss, queue=200, seed=1):
        self.command = [shaper, None, None, *(str(x) for x in (up, down, rtt, loss, queue, seed))]
        self.names = {"home": f"pl-home-{os.getpid()}", "host": f"pl-host-{os.getpid()}"}
        self.process = None
        self.said = None

    @staticmethod
    def why_not():
        """None, or why there can be no such line on this machine."""
        if not shutil.which("ip"):
            return "no ip command (Debian: iproute2)"
        if os.geteuid() != 0:
            return "network namespaces need root"
        if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
            return "no /dev/net/tun"
        pid = os.fork()
        if pid == 0:
            os._exit(0 if ctypes.CDLL(None).unshare(CLONE_NEWNET) == 0 else 1)
        return None if os.waitpid(pid, 0)[1] == 0 else "no network namespaces here"

    def __enter__(self):
        try:
            for name in self.names.values():
                ip("netns", "add", name)
            self.command[1:3] = self.names["home"], self.names["host"]
            self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE,
                                            stdout=subprocess.PIPE, text=True)
            if self.process.stdout.readline().strip() != "ready":
                raise OSError("the shaper did not start")
            for who, own, other in (("home", self.HOME, self.HOST), ("host", self.HOST, self.HOME)):
                ns = self.names[who]
                ip("-n", ns, "link", "set", "lo", "up")
                ip("-n", ns, "addr", "add", own, "peer", other, "dev", "line")
                ip("-n", ns, "link", "set", "line", "up", "mtu", "1500")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self.process:
            try:
                self.said = json.loads(self.process.communicate(timeout=10)[0] or "null")
            except (subprocess.TimeoutExpired, json.JSONDecodeError):
                self.process.kill()
                self.process.wait()
        for name in self.names.values():
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)

    def inside(self, who, command):
        """The command, run at one end of the line."""
        return ["ip", "netns", "exec", self.names[who], *command]

    def popen(self, who, command, **how):
        return subprocess.Popen(self.inside(who, command), **how)
