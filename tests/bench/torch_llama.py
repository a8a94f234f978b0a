"""The LLaMA of engine/model.h in plain eager PyTorch 1.13, as somebody who wants it fast would write it:
q, k, v and gate, up are one product each, the head is the embedding, the causal mask is made once.
tests/bench/against-torch starts this as a process per setting and tells it, a JSON line at a time, how many
steps to run; the answer is a line with the speed and loss of each.
"""
import argparse
import json
import math
import os
import sys
import time

import numpy
import torch
import torch.nn.functional as F


def parse():
    ap = argparse.ArgumentParser()
    ap.add_argument("--about", required=True, help="JSON with model and train, as `bench engine --losses` prints it")
    ap.add_argument("--tokens", required=True, help="uint32 [steps][B][T + 1]")
    ap.add_argument("--weights", help="flat fp32 in table order; else random ones")
    ap.add_argument("--bf16", action="store_true", help="autocast")
    ap.add_argument("--threads", type=int, required=True)
    ap.add_argument("--attention", default="baddbmm", choices=["baddbmm", "matmul", "sdpa"])
    ap.add_argument("--foreach", action="store_true")
    return ap.parse_args()


class Norm(torch.nn.Module):
    def __init__(self, width, eps):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(width))
        self.eps = eps

    def forward(self, x):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.eps) * self.weight


def matrix(rows, cols, deviation):
    return torch.nn.Parameter(torch.randn(rows, cols) * deviation)


class Layer(torch.nn.Module):
    def __init__(self, m, attention):
        super().__init__()
        width, self.heads, self.kv = m["hidden_size"], m["num_attention_heads"], m["num_key_value_heads"]
        self.head_width = width // self.heads
        self.attention = attention
        small = 0.02 / math.sqrt(2 * m["num_hidden_layers"])
        self.norm1 = Norm(width, m["rms_norm_eps"])
        self.qkv = matrix((self.heads + 2 * self.kv) * self.head_width, width, 0.02)
        self.o = matrix(width, width, small)
        self.norm2 = Norm(width, m["rms_norm_eps"])
        self.gate_up = matrix(2 * m["intermediate_size"], width, 0.02)
        self.down = matrix(width, m["intermediate_size"], small)

    def turn(self, x, cos, sin):
        a, b = x.chunk(2, -1)
        return torch.cat((a * cos - b * sin, b * cos + a * sin), -1)

    def attend(self, q, k, v, mask):
        B, H, T, W = q.shape
        if self.attention == "sdpa":
            return F._scaled_dot_product_attention(q, k, v, None, 0.0, False, True)[0]
        if self.attention == "matmul":
            s = torch.matmul(q, k.transpose(-1, -2)) / math.sqrt(W) + mask
            return torch.matmul(F.softmax(s, -1), v)
        q, k, v = (x.reshape(B * H, T, W) for x in (q, k, v))
        s = torch.baddbmm(mask.to(q.dtype), q, k.transpose(1, 2), alpha=1 / math.sqrt(W))
        return torch.bmm(F.softmax(s, -1), v).view(B, H, T, W)

    def forward(self, x, cos, sin, mask):
        B, T, D = x.shape
        H, K, W = self.heads, self.kv, self.head_width
        qkv = F.linear(self.norm1(x), self.qkv).view(B, T, H + 2 * K, W).transpose(1, 2)
        turned = self.turn(qkv[:, :H + K], cos, sin).to(qkv.dtype)
        q, k, v = turned[:, :H], turned[:, H:], qkv[:, H + K:]
        if K != H:
            k, v = (y[:, :, None].expand(B, K, H // K, T, W).reshape(B, H, T, W) for y in (k, v))
        out = self.attend(q, k, v, mask).transpose(1, 2).reshape(B, T, D)
        x = x + F.linear(out, self.o)
        gate, up = F.linear(self.norm2(x), self.gate_up).chunk(2, -1)
        return x + F.linear(F.silu(gate) * up, self.down)


class Llama(torch.nn.Module):
    def __init__(self, m, T, attention):
        super().__init__()
        width = m["hidden_size"] // m["num_attention_heads"]
        self.embed = matrix(m["vocab_size"], m["hidden_size"], 0.02)
        self.layers = torch.nn.ModuleList(Layer(m, attention) for _ in range(m["num_hidden_layers"]))
        self.norm = Norm(m["hidden_size"], m["rms_norm_eps"])
        speeds = m["rope_theta"] ** (-torch.arange(0, width, 2, dtype=torch.float64) / width)
        angles = torch.arange(T, dtype=torch.float64)[:, None] * speeds
        self.cos, self.sin = angles.cos().float(), angles.sin().float()
        self.mask = torch.full((T, T), -math.inf).triu(1)

    def forward(self, tokens, targets):
        x = F.embedding(tokens, self.embed)
        for layer in self.layers:
            x = layer(x, self.cos, self.sin, self.mask)
        logits = F.linear(self.norm(x), self.embed)
        return F.cross_entropy(logits.view(-1, logits.shape[-1]).float(), targets.reshape(-1))

    def load(self, path):
        """The flat block of engine/model.h, whose q, k, v and gate, up lie side by side as here."""
        flat = torch.from_numpy(numpy.fromfile(path, dtype="<f4"))
        at = 0
        order = [self.embed]
        for x in self.layers:
            order += [x.norm1.weight, x.qkv, x.o, x.norm2.weight, x.gate_up, x.down]
        for p in order + [self.norm.weight]:
            p.data.copy_(flat[at:at + p.numel()].view(p.shape))
            at += p.numel()
        assert at == flat.numel(), f"{path} has {flat.numel()} weights, the model {at}"


def learning_rate(t, i):
    """engine/sched.c"""
    if i < t["warmup_steps"]:
        return t["lr"] * (i + 1) / t["warmup_steps"]
    if i >= t["total_steps"]:
        return t["lr"] * t["lr_min_frac"]
    part = (i - t["warmup_steps"]) / (t["total_steps"] - t["warmup_steps"])
    return t["lr"] * (t["lr_min_frac"] + (1 - t["lr_min_frac"]) * (0.5 + 0.5 * math.cos(part * math.pi)))


def peak_bytes():
    with open("/proc/self/status", encoding="ascii") as f:
        return next(int(line.split()[1]) * 1024 for line in f if line.startswith("VmHWM"))


class Bench:
    def __init__(self, a):
        with open(a.about, encoding="utf-8") as f:
            about = json.load(f)
        self.train, self.bf16 = about["train"], a.bf16
        B, T = self.train["batch_seqs"], self.train["seq_len"]
        torch.set_num_threads(a.threads)
        torch.manual_seed(1)
        self.tokens = torch.from_numpy(numpy.fromfile(a.tokens, dtype="<u4").astype("int64")).view(-1, B, T + 1)
        self.model = Llama(about["model"], T, a.attention)
        if a.weights:
            self.model.load(a.weights)
        every = list(self.model.parameters())
        self.optimizer = torch.optim.AdamW(
            [{"params": [p for p in every if p.dim() > 1], "weight_decay": self.train["weight_decay"]},
             {"params": [p for p in every if p.dim() == 1], "weight_decay": 0.0}],
            lr=self.train["lr"], betas=(self.train["beta1"], self.train["beta2"]), eps=self.train["eps"],
            foreach=a.foreach)
        self.done = 0

    def step(self):
        batch = self.tokens[self.done % len(self.tokens)]
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.train, self.done)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.bf16):
            loss = self.model(batch[:, :-1], batch[:, 1:])
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.train["clip_norm"])
        self.optimizer.step()
        self.done += 1
        return loss.item()

    def run(self, n):
        losses, speeds = [], []
        for _ in range(n):
            began = time.perf_counter()
            losses.append(self.step())
            speeds.append(self.train["batch_seqs"] * self.train["seq_len"] / (time.perf_counter() - began))
        return {"losses": losses, "speeds": speeds, "rss_mb": peak_bytes() / 1e6}


def main():
    bench = Bench(parse())
    answers = os.fdopen(os.dup(1), "w")
    for line in sys.stdin:
        print(json.dumps(bench.run(int(line))), file=answers, flush=True)


if __name__ == "__main__":
    main()
