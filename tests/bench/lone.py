"""One contributor at work on the demo's model, for benches that watch it: without exchange, or with rounds
of a few steps. Used by tests/bench/pause and tests/bench/screen."""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [os.path.join(ROOT, "packaging"), os.path.join(ROOT, "tests", "e2e")]
from swarm import DEMO, Swarm, wait_for  # noqa: E402
from words import write_text  # noqa: E402


def start(folder, programs, threads, inner_steps=0):
    """A swarm of one, training; its text is made up, since only the time counts here. inner_steps 0: the
    inner phase does not end while anybody looks."""
    swarm = Swarm(folder, programs, threads=threads)
    text = os.path.join(folder, "text")
    write_text(text)
    inner = ("--inner-steps", inner_steps) if inner_steps else ("--inner-seconds", 3600)
    swarm.make_run(text, DEMO, *inner, "--rounds", 0, "--name", "bench")
    swarm.start_party("aggregator")
    wait_for("the aggregator's answer", 60, swarm.serving)
    swarm.join(1)
    swarm.start_party(1)
    wait_for("the first step", 120, lambda: (swarm.status(1) or {}).get("tok_per_s"))
    return swarm


def busy_ns(pid):
    """Time that all threads of the process have spent on a processor."""
    total = 0
    for thread in os.listdir(f"/proc/{pid}/task"):
        try:
            with open(f"/proc/{pid}/task/{thread}/schedstat", encoding="ascii") as f:
                total += int(f.read().split()[0])
        except FileNotFoundError:
            pass  # it ended meanwhile
    return total
