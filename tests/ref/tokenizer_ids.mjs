// The comparison of tests/ref/tokenizer-ids; see there.
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { mixed, numbers, some_of_all } from "./tokenizer_text.mjs";

const [program, packages, scratch, real] = process.argv.slice(2);
const require = createRequire(join(packages, "package.json"));
const js = await import(pathToFileURL(join(packages, "node_modules/@huggingface/tokenizers/dist/tokenizers.mjs")).href);
const rust = require("tokenizers");
const ours = (...args) => execFileSync(program, args, { maxBuffer: 1 << 30 });

// Where the JavaScript package departs from the original library, which ours follows:
// its ByteLevel takes JavaScript's \s (U+FEFF is a space, U+0085 none), its Digits only 0 to 9, and
// its (?i:'s) does not fold the long s. What is left out for it is compared with the original.
const DEPARTURES = {
  gpt2: [/[\u0085\ufeff]/gu],
  digits: [/[\u0085\ufeff]/gu, /(?![0-9])\p{N}/gu],
  llama3: [/'ſ/gu],
  qwen2: [/'ſ/gu],
};

// ---- texts: 1 MB each, cut into pieces of many sizes, and one piece that is all of it ----

function texts(seed, special, disputed) {
  const random = numbers(seed);
  const list = ["", " ", "a", "\n"];
  for (let n = 0; n < 500e3; n += list.at(-1).length + 1) list.push(mixed(random, random(random(10) ? 400 : 20000), special, disputed));
  list.push(mixed(random, 250e3, special, disputed));
  list.push("a".repeat(30000), " ".repeat(3000) + "x", "ab".repeat(20000), "\n".repeat(2000), "7".repeat(5000));
  return list;
}

const without = (list, patterns) =>
  list.map((text) => {
    for (const p of patterns ?? []) while (text.search(p) >= 0) text = text.replace(p, "");
    return text;
  });

// ---- the three encoders ----

function by_ours(name, tokenizer, list) {
  const json = join(scratch, `${name}.json`);
  const file = join(scratch, `${name}.texts`);
  writeFileSync(json, JSON.stringify(tokenizer));
  const chunks = [];
  for (const text of list) {
    const bytes = Buffer.from(text);
    const size = Buffer.alloc(4);
    size.writeUInt32LE(bytes.length);
    chunks.push(size, bytes);
  }
  writeFileSync(file, Buffer.concat(chunks));
  const out = ours("encode", json, file);
  const ids = [];
  for (let at = 0; at < out.length; ) {
    const n = out.readUInt32LE(at);
    const one = new Uint32Array(n);
    for (let i = 0; i < n; i++) one[i] = out.readUInt32LE(at + 4 + 4 * i);
    ids.push(one);
    at += 4 + 4 * n;
  }
  return ids;
}

const by_js = (tokenizer, list) => {
  const t = new js.Tokenizer(tokenizer, {});
  return list.map((text) => t.encode(text, { add_special_tokens: false }).ids);
};

async function by_rust(tokenizer, list) {
  const t = rust.Tokenizer.fromString(JSON.stringify(tokenizer));
  const all = await t.encodeBatch(list, { addSpecialTokens: false });
  return all.map((x) => x.getIds());
}

let failed = 0;
function compare(name, whose, list, mine, theirs) {
  let bytes = 0;
  let ids = 0;
  let different = 0;
  list.forEach((text, i) => {
    bytes += Buffer.byteLength(text);
    ids += theirs[i].length;
    const n = Math.max(mine[i].length, theirs[i].length);
    let first = -1;
    for (let k = 0; k < n; k++)
      if (mine[i][k] !== theirs[i][k]) {
        different++;
        if (first < 0) first = k;
      }
    if (first >= 0 && different < 2000)
      console.log(`  text ${i}, id ${first}: ours ${mine[i].slice(first, first + 6)}, theirs ${Array.from(theirs[i]).slice(first, first + 6)}`);
  });
  failed += different;
  console.log(`${name.padEnd(22)} ${whose.padEnd(24)} ${list.length} texts, ${bytes} bytes, ${ids} ids, ${different} different`);
}

async function family(name, tokenizer, rule, special, seed) {
  const list = texts(seed, special, true);
  const agreed = without(list, DEPARTURES[rule]);
  list.push(some_of_all(seed, 61)); // which letters there are depends on the version of Unicode
  compare(name, "tokenizers (original)", list, by_ours(name, tokenizer, list), await by_rust(tokenizer, list));
  compare(name, "@huggingface/tokenizers", agreed, by_ours(name, tokenizer, agreed), by_js(tokenizer, agreed));
}

// ---- the families: our own merges, said in the way of others ----

const LLAMA3 = "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
const QWEN2 = LLAMA3.replace("{1,3}", "");
const GPT2 = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";
const BYTES = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true };
const split = (Regex) => ({
  type: "Sequence",
  pretokenizers: [{ type: "Split", pattern: { Regex }, behavior: "Isolated", invert: false }, { ...BYTES, use_regex: false }],
});
const added = (id, content, more = {}) => ({ id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special: true, ...more });
const model = (vocab, merges, more = {}) => ({
  type: "BPE", dropout: null, unk_token: null, continuing_subword_prefix: null, end_of_word_suffix: null,
  fuse_unk: false, byte_fallback: false, ignore_merges: false, vocab, merges, ...more,
});
const whole = (more) => ({ version: "1.0", truncation: null, padding: null, added_tokens: [], normalizer: null, post_processor: null, decoder: BYTES, ...more });
const template = (bos) => ({
  type: "TemplateProcessing",
  single: [{ SpecialToken: { id: bos, type_id: 0 } }, { Sequence: { id: "A", type_id: 0 } }],
  pair: [{ Sequence: { id: "A", type_id: 0 } }, { Sequence: { id: "B", type_id: 1 } }],
  special_tokens: { [bos]: { id: bos, ids: [0], tokens: [bos] } },
});

// Names in an order of chance, ids from `first`.
function shuffled(names, first, seed) {
  const random = numbers(seed);
  const list = [...names];
  for (let i = list.length - 1; i > 0; i--) {
    const j = random(i + 1);
    [list[i], list[j]] = [list[j], list[i]];
  }
  return Object.fromEntries(list.map((x, i) => [x, first + i]));
}

async function byte_level_families(own) {
  const names = Object.keys(own.model.vocab).filter((x) => x !== "<|endoftext|>");
  const pairs = own.model.merges.map((x) => x.split(" "));
  await family("ours", own, "gpt2", ["<|endoftext|>"], 1);
  await family("gpt2 as Split", whole({ pre_tokenizer: split(GPT2), added_tokens: own.added_tokens, model: own.model }), "none", ["<|endoftext|>"], 2);

  const vocab = shuffled(names, 0, 3);
  const n = names.length;
  // some tokens that no merge needs are not made by one: only ignore_merges finds them
  const halves = new Set(pairs.flat());
  const fewer = pairs.filter((x, i) => i % 3 || halves.has(x.join("")));
  const marks = ["<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|eot_id|>"].map((x, i) => added(n + i, x));
  for (const ignore_merges of [true, false])
    await family(`llama3 ${ignore_merges ? "ignore_merges" : "merges only"}`, whole({
      added_tokens: marks, pre_tokenizer: split(LLAMA3), model: model(vocab, fewer, { ignore_merges }),
      post_processor: { type: "Sequence", processors: [BYTES, template("<|begin_of_text|>")] },
    }), "llama3", marks.map((x) => x.content), 4);

  const special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<repo_name>"];
  const digits = { ...Object.fromEntries(special.map((x, i) => [x, i])), ...shuffled(names, special.length, 5) };
  const plain = ["        ", "\t\t", "naïve", "日本", "  \n"].map((x, i) => added(n + special.length + i, x, { special: false, normalized: true }));
  await family("smollm digits", whole({
    added_tokens: [...special.map((x, i) => added(i, x)), ...plain], model: model(digits, own.model.merges),
    pre_tokenizer: { type: "Sequence", pretokenizers: [{ type: "Digits", individual_digits: true }, BYTES] },
  }), "digits", [...special, ...plain.map((x) => x.content)], 6);

  const ends = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"].map((x, i) => added(n + i, x));
  await family("qwen2", whole({ added_tokens: ends, pre_tokenizer: split(QWEN2), model: model(shuffled(names, 0, 7), own.model.merges) }), "qwen2", ends.map((x) => x.content), 7);
}

// ---- the sentence family: learned here, character by character ----

// Tokens in the order learned, and merges as converters write them: every way to make a token.
function learn_sentences(text, n_tokens) {
  const counts = new Map();
  for (const word of ("\u2581" + text.replaceAll(" ", "\u2581")).match(/\u2581*[^\u2581]*/gu)) if (word.length < 60) counts.set(word, (counts.get(word) ?? 0) + 1);
  const words = [...counts].map(([word, count]) => ({ parts: Array.from(word), count }));
  const letters = new Map();
  for (const w of words) for (const c of w.parts) letters.set(c, (letters.get(c) ?? 0) + w.count);
  const tokens = [...letters].filter(([, count]) => count > 20).sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).map(([c]) => c);
  const learned = [];
  const known = new Set(tokens);
  while (learned.length < n_tokens) {
    const pairs = new Map();
    for (const w of words)
      for (let i = 0; i + 1 < w.parts.length; i++)
        if (known.has(w.parts[i]) && known.has(w.parts[i + 1])) {
          const key = w.parts[i] + "\u0000" + w.parts[i + 1];
          pairs.set(key, (pairs.get(key) ?? 0) + w.count);
        }
    // many at once: an approximation that is quick and good enough for a test
    const best = [...pairs].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).slice(0, 40);
    if (!best.length) break;
    for (const [key] of best) {
      const [a, b] = key.split("\u0000");
      if (!known.has(a + b)) learned.push(a + b), known.add(a + b);
      for (const w of words)
        for (let i = 0; i + 1 < w.parts.length; i++) if (w.parts[i] === a && w.parts[i + 1] === b) w.parts.splice(i, 2, a + b);
    }
  }
  const rank = new Map([...learned, ...tokens].map((x, i) => [x, i]));
  const merges = [];
  for (const token of learned) {
    const chars = Array.from(token);
    const ways = [];
    for (let i = 1; i < chars.length; i++) {
      const pair = [chars.slice(0, i).join(""), chars.slice(i).join("")];
      if (pair.every((x) => rank.has(x))) ways.push(pair);
    }
    merges.push(...ways.sort((a, b) => rank.get(a[0]) - rank.get(b[0]) || rank.get(a[1]) - rank.get(b[1])));
  }
  return { tokens: [...learned, ...tokens], merges };
}

const SENTENCE = {
  post_processor: template("<s>"),
  decoder: {
    type: "Sequence",
    decoders: [{ type: "Replace", pattern: { String: "\u2581" }, content: " " }, { type: "ByteFallback" }, { type: "Fuse" }, { type: "Strip", content: " ", start: 1, stop: 0 }],
  },
};
const PREPEND = {
  pre_tokenizer: null,
  normalizer: { type: "Sequence", normalizers: [{ type: "Prepend", prepend: "\u2581" }, { type: "Replace", pattern: { String: " " }, content: "\u2581" }] },
};
const metaspace = (prepend_scheme, cut) => ({ pre_tokenizer: { type: "Metaspace", replacement: "\u2581", prepend_scheme, split: cut } });

async function sentence_families(name, vocab, merges, marks) {
  const m = model(vocab, merges, { unk_token: "<unk>", fuse_unk: true, byte_fallback: true });
  const special = marks.map((x) => x.content);
  await family(`${name} prepend`, whole({ ...SENTENCE, ...PREPEND, added_tokens: marks, model: m }), "none", special, 11);
  for (const scheme of ["first", "always", "never"])
    await family(`${name} ${scheme}`, whole({ ...SENTENCE, ...metaspace(scheme, false), added_tokens: marks, model: m }), "none", special, 12);
  // the JavaScript package knows no "split", and looks for normalised names elsewhere
  const cut = whole({ ...SENTENCE, ...metaspace("always", true), added_tokens: marks, model: m });
  const normalized = whole({ ...SENTENCE, ...PREPEND, added_tokens: marks.map((x) => ({ ...x, normalized: true })), model: m });
  const list = texts(13, special, true);
  compare(`${name} split`, "tokenizers (original)", list, by_ours(`${name} split`, cut, list), await by_rust(cut, list));
  compare(`${name} normalized`, "tokenizers (original)", list, by_ours(`${name} norm`, normalized, list), await by_rust(normalized, list));
}

async function learned_sentences() {
  const { tokens, merges } = learn_sentences(mixed(numbers(9), 300e3).replace(/\u0000|<0x41>/g, ""), 1500);
  const vocab = { "<unk>": 0, "<s>": 1, "</s>": 2 };
  for (let b = 0; b < 256; b++) vocab[`<0x${b.toString(16).toUpperCase().padStart(2, "0")}>`] = 3 + b;
  for (const x of tokens) vocab[x] = Object.keys(vocab).length;
  await sentence_families("sentence", vocab, merges, ["<unk>", "<s>", "</s>"].map((x, i) => added(i, x)));
}

// ---- real vocabularies ----

async function real_vocabularies() {
  const read = async (name) => (await import(pathToFileURL(require.resolve(name)).href)).default;
  const ordered = (t) => [...t.merges].sort((a, b) => a[1] - b[1]).map(([pair]) => pair.split(" "));
  const three = await read("llama3-tokenizer-js");
  const names = three.vocabById;
  const n = names.findIndex((x) => x === "<|begin_of_text|>");
  const marks = names.slice(n).map((x, i) => added(n + i, x));
  await family(`llama 3, ${names.length} ids`, whole({
    added_tokens: marks, pre_tokenizer: split(LLAMA3), post_processor: template("<|begin_of_text|>"),
    model: model(Object.fromEntries(names.slice(0, n).map((x, i) => [x, i])), ordered(three), { ignore_merges: true }),
  }), "llama3", ["<|begin_of_text|>", "<|eot_id|>"], 21);
  const two = await read("llama-tokenizer-js");
  await sentence_families(`llama 2, ${two.vocabById.length} ids`, Object.fromEntries(two.vocabById.map((x, i) => [x, i])), ordered(two),
    ["<unk>", "<s>", "</s>"].map((x, i) => added(i, x)));
}

writeFileSync(join(scratch, "learn.txt"), mixed(numbers(8), 2e6));
await byte_level_families(JSON.parse(ours("train", join(scratch, "learn.txt"), "8192").toString()));
await learned_sentences();
if (real) await real_vocabularies();
console.log(failed ? `${failed} ids differ` : "no id differs");
process.exit(failed ? 1 : 0);
