// Text cut into byte pairs: utils/byte_pairs.py.

const BYTES = 256;

// a byte as a letter: those above ASCII become such as are neither a sign nor a space to a pattern
const letterOf = (byte) => String.fromCharCode(byte < 128 ? byte : BYTES + byte);

/**
 * What encode() needs: the pattern of the pieces inside which merges stay, and the merges, two numbers for each.
 * `words` are the bytes of each token.
 */
export function bytePairs(pattern, merges) {
  const words = Array.from({ length: BYTES }, (_, byte) => [byte]);
  const size = BYTES + merges.length / 2;
  const joined = new Map(); // of a pair, as one number: the token that it becomes
  for (let k = 0; k < merges.length; k += 2) {
    const [left, right] = merges.slice(k, k + 2);
    joined.set(left * size + right, words.length);
    words.push([...words[left], ...words[right]]);
  }
  return { piece: new RegExp(pattern, "g"), words, size, joined };
}

/** Join the pair that was learned first, wherever it stands, until none is left. */
function join(bytes, { size, joined }) {
  let tokens = bytes;
  for (;;) {
    const pairs = tokens.slice(1).map((token, i) => joined.get(tokens[i] * size + token) ?? Infinity);
    const first = Math.min(Infinity, ...pairs);
    if (first === Infinity) return tokens;
    const next = [];
    for (let i = 0; i < tokens.length; i += 1) {
      const fits = pairs[i] === first;
      next.push(fits ? first : tokens[i]);
      if (fits) i += 1;
    }
    tokens = next;
  }
}

/** Tokens of a text: BytePairs.encode() of its UTF-8. */
export function encode(coder, text) {
  const letters = Array.from(new TextEncoder().encode(text), letterOf).join("");
  const pieces = letters.match(coder.piece) ?? [];
  return pieces.flatMap((piece) =>
    join(
      Array.from(piece, (letter) => letter.charCodeAt(0) % BYTES),
      coder,
    ),
  );
}

/** The text of each token's bytes in turn; where they end within a character, it comes with the next. */
export function decode(words) {
  const reader = new TextDecoder("utf-8", { ignoreBOM: true });
  const texts = words.map((word) => reader.decode(Uint8Array.from(word), { stream: true }));
  const rest = reader.decode();
  if (rest) texts[texts.length - 1] += rest;
  return texts;
}
