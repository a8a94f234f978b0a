"""A little text of our own for tests that train: made from a seed, learnt in seconds."""
import os
import random

WORDS = ("the potluck is a table where everyone brings a dish and nobody eats alone so we sat down "
         "with bread soup rice beans and a pot of tea and talked until the lamp went out").split()


def write_text(folder, seed=1, files=24, lines=300):
    rng = random.Random(seed)
    os.makedirs(folder)
    for i in range(files):
        with open(os.path.join(folder, f"{i:02}.txt"), "w", encoding="utf-8") as f:
            for n in range(lines):
                f.write(" ".join(rng.choices(WORDS, k=rng.randint(5, 14))) + ".\n")
                if n % 20 == 19:
                    f.write("\n")
