// Text that is hard to cut, the same at every run: prose, code, emoji, many scripts, odd spaces,
// long runs, characters at the edges of Unicode, and names of special tokens inside the text.

// A small generator of numbers (mulberry32).
export function numbers(seed) {
  let a = seed >>> 0;
  return (n) => {
    a = (a + 0x6d2b79f5) >>> 0;
    let t = Math.imul(a ^ (a >>> 15), a | 1);
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % n;
  };
}

const WORDS = `the of and to in it's we're I'll they've don't she'd you'd IT'S WE'RE O'Neil 'tis rock 'n' roll
a training model together round weights token bytes naïve café Zürich Straße œuvre señor ångström İstanbul ſeveral
don’t “quoted” –dash— …and ellipsis; however, Therefore: well-known (parenthesised) [bracketed] e.g. i.e. U.S.A.
supercalifragilisticexpialidocious antidisestablishmentarianism`.split(/\s+/);
const NUMBERS = ["0", "7", "42", "1234", "1000000", "3.14159", "-17", "1e-9", "0xFF", "2024-11-26", "12:34:56",
  "99.9%", "$5", "€20", "№5", "1,234,567", "10.0.0.1", "000000000000", "98765432109876543210"];
const CODE = ["int main(void)\n{\n    return 0;\n}\n", "for (size_t i = 0; i < n; i++)\n\t\tx[i] += y[i];\n",
  "def f(x, *args, **kw):\n    return {k: v for k, v in kw.items() if v != x}\n",
  "#include <stdio.h>\r\n#define MAX(a, b) ((a) > (b) ? (a) : (b))\r\n", "x = y<<2 | z>>>3; // !!! ??? ...\n",
  "const s = `a${b}c`;\n\n\n\nlet t = s?.length ?? 0;\n", "<div class=\"a b\">&nbsp;</div>\n",
  "SELECT * FROM t WHERE a='it''s' AND b>=10;\n", "{\"key\": [1, 2, 3], \"k\\n\": null}\n", "a_b__c___d CamelCaseName\n",
  "        if (deep) {\n            deeper();\n        }\n", "\\begin{align} x^2 &= \\frac{1}{2} \\end{align}\n"];
const SCRIPTS = ["日本語のテキストは、単語の間に空白がない。", "中文文本没有空格，分词很难！", "한국어 문장은 띄어쓰기가 있습니다.",
  "Привет, мир! Как дела?", "Γειά σου Κόσμε", "שלום עולם", "مرحبا بالعالم، كيف حالك؟", "नमस्ते दुनिया", "สวัสดีชาวโลก",
  "Xin chào thế giới", "გამარჯობა", "Բարեւ", "ሰላም ልዑል", "ꦱꦸꦒꦼꦁ", "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𝟙𝟚𝟛", "𠜎𠜱𠝹 ㍿㌔", "é e\u0301 ñ n\u0303 क्षि"];
const EMOJI = ["😀", "👍🏽", "👨‍👩‍👧‍👦", "🇩🇪🇯🇵", "❤️", "1️⃣", "🏳️‍🌈", "🤷🏿‍♀️", "☃", "🫠", "⌨️", "©®™"];
const SPACES = [" ", "  ", "   ", "    ", "          ", "\t", "\t\t", " \t ", "\n", "\n\n", "\r\n", "\r", "\n \n", "  \n", "\v", "\f",
  "\u00a0", " \u00a0 ", "\u1680", "\u2000\u2001", "\u2003", "\u2009", "\u200a", "\u2028", "\u2029", "\u202f", "\u205f",
  "\u3000", "\u200b", "\u200d", "\u2060", "\u180e", "\u00ad", "\n\t\u3000 \n", "\r\n\r\n   "];
const EDGES = ["\u0000", "\u0001", "\u001b[31m", "\u007f", "\u0080", "\u009f", "\u00ff", "\u0100", "\u07ff", "\u0800", "\ud7ff", "\ue000",
  "\ufdd0", "\ufffc", "\ufffd", "\ufffe", "\uffff", "\u{10000}", "\u{1fffe}", "\u{e0001}", "\u{f0000}", "\u{10ffff}", "\u0301\u0302",
  "\u2581", "a\u2581b", "\u2581\u2581", "\u202e", "<0x41>", "Ġ", "Ċ"];
const LONG = ["a", "ab", " ", "=", "-", "\n", "9", "あ", "😀", "!?", "\u0301", "\t"];
// What one package or another treats in its own way; see DEPARTURES in tokenizer_ids.mjs.
const DISPUTED = ["\u0085", " \u0085x", "\u0085\u0085 ", "\ufeff", "\ufeffthe", " \ufeff x", "٣٤٥", "५६", "²", "x²½", "Ⅷ", " ¼", "①②", "'ſ", "'ſt", "X'ſo"];

// One text of about n UTF-16 units; special: names of special tokens to sprinkle in.
export function mixed(random, n, special = [], disputed = true) {
  const pick = (list) => list[random(list.length)];
  const parts = [
    [30, () => pick(WORDS) + (random(4) ? " " : "")], [6, () => pick(NUMBERS) + (random(2) ? " " : "")], [4, () => pick(CODE)],
    [8, () => pick(SCRIPTS)], [5, () => pick(EMOJI)], [10, () => pick(SPACES)], [2, () => pick(EDGES)],
    [special.length ? 2 : 0, () => pick(special)], [disputed ? 1 : 0, () => pick(DISPUTED)],
    [1, () => pick(LONG).repeat(1 + random(random(20) ? 12 : 300))],
  ];
  const total = parts.reduce((sum, [weight]) => sum + weight, 0);
  let out = "";
  while (out.length < n) {
    let x = random(total);
    for (const [weight, make] of parts) {
      if (x < weight) {
        out += make();
        break;
      }
      x -= weight;
    }
  }
  return out;
}

// One character in `step`, from `first` on, over all of Unicode, each among letters, digits and spaces.
export function some_of_all(first, step) {
  let out = "";
  for (let cp = first; cp <= 0x10ffff; cp += step) {
    if (cp >= 0xd800 && cp < 0xe000) continue;
    const c = String.fromCodePoint(cp);
    out += `a${c}1${c} ${c}\n`;
  }
  return out;
}
