// What llama.cpp says of the windows that ref_logprobs cut (tests/ref/against-tools calls this).
//
//     node llama-logprobs.mjs NODE_MODULES FILE.gguf REQUEST.json ANSWER.json
//
// REQUEST: {"tokens": [[...]], "n_full": N, "text": "...", "n_greedy": N}. ANSWER gets `ids` of the
// text, `last` (natural logarithms of the probabilities of every token after the first n_full windows
// but for their last token), `nats` of all windows, `greedy` (tokens after half of window 0).
import {readFileSync, writeFileSync} from "node:fs";
import {pathToFileURL} from "node:url";

const [modules, file, request, answer] = process.argv.slice(2);
const {getLlama, LlamaLogLevel} =
    await import(pathToFileURL(`${modules}/node-llama-cpp/dist/index.js`));
const r = JSON.parse(readFileSync(request));
const llama = await getLlama({gpu: false, build: "never", logLevel: LlamaLogLevel.error,
                              skipDownload: true});
const model = await llama.loadModel({modelPath: file, gpuLayers: 0});
const raw = {temperature: 1, topK: 0, topP: 1, minP: 0, seed: 1};
const n = r.tokens[0].length;
const context = await model.createContext({contextSize: Math.max(n, 64) + r.n_greedy, batchSize: n,
                                           threads: 2, flashAttention: false,
                                           // else f16, which costs more than f32 weights do
                                           experimentalKvCacheKeyType: "F32",
                                           experimentalKvCacheValueType: "F32"});
const sequence = context.getSequence();
const out = {ids: model.tokenize(r.text), last: [], nats: [], greedy: []};

// Probabilities of every token, as a list by id.
function byId(map)
{
    const p = [];
    for (const [id, v] of map) p[id] = v;
    return p;
}

for (const [w, tokens] of r.tokens.entries()) {
    await sequence.clearHistory();
    const wants = tokens.slice(0, -1).map(
        (t) => [t, {generateNext: {probabilities: true, confidence: true, options: raw}}]);
    const results = await sequence.controlledEvaluate(wants);
    let nats = 0;
    for (let i = 0; i + 1 < n; i++)
        nats -= Math.log(byId(results[i].next.probabilities)[tokens[i + 1]]);
    out.nats.push(nats);
    if (w < r.n_full) out.last.push(byId(results[n - 2].next.probabilities).map(Math.log));
}
await sequence.clearHistory();
const half = r.tokens[0].slice(0, n >> 1);
for await (const t of sequence.evaluate(half, {temperature: 0, yieldEogToken: true})) {
    out.greedy.push(t);
    if (out.greedy.length >= r.n_greedy) break;
}
writeFileSync(answer, JSON.stringify(out));
process.exit(0); // the library's threads would keep it
