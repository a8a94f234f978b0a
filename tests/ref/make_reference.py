#!/usr/bin/python3
"""Reference numbers for tests/unit/test_reference.c, from an outside autograd.

Needs Debian's python3-torch. An independent LLaMA, written from the papers in plain torch
operations and run in double precision; weights and tokens come from an integer formula that the C
test computes as well, so only results are stored. Run in this folder:

    /usr/bin/python3 make_reference.py

File layout, little endian: "PLREF1\\0\\0", u64 n_params, f64 loss in nats a token of the initial
weights, f32 gradient [n_params], f32 weights after STEPS steps of AdamW [n_params].
"""
import math
import struct

import numpy as np
import torch

STEPS = 3
LR, BETAS, EPS, DECAY, CLIP = 1e-2, (0.9, 0.95), 1e-8, 0.1, 0.5

CASES = {
    "tied.bin": dict(V=48, D=32, F=40, L=2, H=4, K=2, T=80, B=2, eps=1e-5, theta=10000.0,
                     tied=True, seed=1),
    "untied.bin": dict(V=29, D=12, F=20, L=3, H=3, K=1, T=70, B=5, eps=1e-6, theta=500.0,
                       tied=False, seed=77),
}


def mix(i, seed):
    return ((i + seed * 7919) * 2654435761 % (1 << 32)) * 2246822519 % (1 << 32)


def shapes(c):
    w = c["D"] // c["H"]
    out = [("embed", (c["V"], c["D"]))]
    for i in range(c["L"]):
        out += [(f"{i}.norm1", (c["D"],)), (f"{i}.q", (c["D"], c["D"])),
                (f"{i}.k", (c["K"] * w, c["D"])), (f"{i}.v", (c["K"] * w, c["D"])),
                (f"{i}.o", (c["D"], c["D"])), (f"{i}.norm2", (c["D"],)),
                (f"{i}.gate", (c["F"], c["D"])), (f"{i}.up", (c["F"], c["D"])),
                (f"{i}.down", (c["D"], c["F"]))]
    out.append(("norm", (c["D"],)))
    if not c["tied"]:
        out.append(("head", (c["V"], c["D"])))
    return out


def make_weights(c):
    params, at = {}, 0
    for name, shape in shapes(c):
        n = math.prod(shape)
        u = np.array([(mix(at + i, c["seed"]) >> 8) / (1 << 24) - 0.5 for i in range(n)],
                     dtype=np.float32)
        v = np.float32(1) + u * np.float32(0.5) if len(shape) == 1 else u
        params[name] = torch.tensor(v.reshape(shape), dtype=torch.float64, requires_grad=True)
        at += n
    return params, at


def make_tokens(c):
    n = c["B"] * (c["T"] + 1)
    ids = [(mix(i, c["seed"] + 1000) >> 9) % c["V"] for i in range(n)]
    return torch.tensor(ids).reshape(c["B"], c["T"] + 1)


def rms(x, w, eps):
    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + eps) * w


def rotate(x, c):
    """x [B, heads, T, W]; Hugging Face convention: halves, not pairs."""
    w = x.shape[-1]
    freq = c["theta"] ** (-torch.arange(0, w, 2, dtype=torch.float64) / w)
    angle = torch.outer(torch.arange(c["T"], dtype=torch.float64), freq)
    cos, sin = torch.cat([angle, angle], -1).cos(), torch.cat([angle, angle], -1).sin()
    half = torch.cat([-x[..., w // 2:], x[..., :w // 2]], -1)
    return x * cos + half * sin


def attention(x, p, i, c):
    w = c["D"] // c["H"]

    def heads(name, n):
        return (x @ p[f"{i}.{name}"].T).reshape(c["B"], c["T"], n, w).transpose(1, 2)

    q, k, v = rotate(heads("q", c["H"]), c), rotate(heads("k", c["K"]), c), heads("v", c["K"])
    k = k.repeat_interleave(c["H"] // c["K"], 1)
    v = v.repeat_interleave(c["H"] // c["K"], 1)
    s = q @ k.transpose(-1, -2) / math.sqrt(w)
    s = s.masked_fill(torch.triu(torch.ones(c["T"], c["T"], dtype=torch.bool), 1), -math.inf)
    o = (s.softmax(-1) @ v).transpose(1, 2).reshape(c["B"], c["T"], c["D"])
    return o @ p[f"{i}.o"].T


def loss_of(p, tokens, c):
    x = p["embed"][tokens[:, :-1]]
    for i in range(c["L"]):
        x = x + attention(rms(x, p[f"{i}.norm1"], c["eps"]), p, i, c)
        h = rms(x, p[f"{i}.norm2"], c["eps"])
        h = torch.nn.functional.silu(h @ p[f"{i}.gate"].T) * (h @ p[f"{i}.up"].T)
        x = x + h @ p[f"{i}.down"].T
    logits = rms(x, p["norm"], c["eps"]) @ p["embed" if c["tied"] else "head"].T
    return torch.nn.functional.cross_entropy(logits.reshape(-1, c["V"]), tokens[:, 1:].reshape(-1))


def flat(tensors):
    return np.concatenate([t.detach().numpy().ravel() for t in tensors]).astype("<f4").tobytes()


def write_case(path, c):
    p, n = make_weights(c)
    tokens = make_tokens(c)
    loss = loss_of(p, tokens, c)
    loss.backward()
    grads = flat([t.grad for t in p.values()])
    opt = torch.optim.AdamW(
        [dict(params=[t for t in p.values() if t.dim() > 1], weight_decay=DECAY),
         dict(params=[t for t in p.values() if t.dim() == 1], weight_decay=0.0)],
        lr=LR, betas=BETAS, eps=EPS)
    for _ in range(STEPS):
        opt.zero_grad()
        loss_of(p, tokens, c).backward()
        torch.nn.utils.clip_grad_norm_(p.values(), CLIP)
        opt.step()
    with open(path, "wb") as f:
        f.write(b"PLREF1\0\0" + struct.pack("<Qd", n, loss.item()) + grads + flat(p.values()))
    print(f"{path}: {n} parameters, loss {loss.item():.9f}")


for name, case in CASES.items():
    write_case(name, case)
