// The book's transformer, once more: the forward pass of utils/models/transformer.py in plain
// JavaScript, for one text at a time. Everything is a Float32Array that holds a matrix row by row;
// the comments give its shape. A weight has shape (in, out) and is applied as x @ weight.
(() => {
  "use strict";
  const oneToken = (window.oneToken ??= {});

  // x @ weight: (rows, inner) @ (inner, columns) -> (rows, columns)
  function matmul(x, weight, rows) {
    const inner = x.length / rows, columns = weight.length / inner;
    const product = new Float32Array(rows * columns);
    for (let row = 0; row < rows; row++) {
      const start = row * columns;
      for (let i = 0; i < inner; i++) {
        const factor = x[row * inner + i], from = i * columns;
        for (let column = 0; column < columns; column++) {
          product[start + column] += factor * weight[from + column];
        }
      }
    }
    return product;
  }

  // Each row brought to a root mean square of 1: (length, d_model) -> the same shape
  function rmsNorm(x, width, eps) {
    const normed = new Float32Array(x.length);
    for (let start = 0; start < x.length; start += width) {
      let squares = 0;
      for (let i = start; i < start + width; i++) squares += x[i] * x[i];
      const shrink = 1 / Math.sqrt(squares / width + eps);
      for (let i = start; i < start + width; i++) normed[i] = x[i] * shrink;
    }
    return normed;
  }

  // Numbers of any size to shares that sum to 1, in place: (n,)
  function softmax(scores) {
    const highest = Math.max(...scores);
    let total = 0;
    for (let i = 0; i < scores.length; i++) total += scores[i] = Math.exp(scores[i] - highest);
    for (let i = 0; i < scores.length; i++) scores[i] /= total;
    return scores;
  }

  // Rotary positions, in place: position p turns pair i of every head by p / theta^(2i / size).
  // heads: (length, n_heads * size)
  function rotate(heads, length, size, theta) {
    const width = heads.length / length;
    for (let position = 0; position < length; position++) {
      for (let i = 0; i < width; i += 2) {
        const angle = position / theta ** ((i % size) / size);
        const cos = Math.cos(angle), sin = Math.sin(angle), at = position * width + i;
        const a = heads[at], b = heads[at + 1];
        heads[at] = a * cos - b * sin;
        heads[at + 1] = a * sin + b * cos;
      }
    }
    return heads;
  }

  // Each position asks (query), each offers (key), what matches is averaged (value).
  // x: (length, d_model) -> the same shape
  function attention(x, weights, length, config) {
    const width = config.d_model, size = width / config.n_heads;
    const theta = config.rope_theta;
    const query = rotate(matmul(x, weights.query, length), length, size, theta); // (length, d_model)
    const key = rotate(matmul(x, weights.key, length), length, size, theta); // (length, d_model)
    const value = matmul(x, weights.value, length); // (length, d_model)
    const gathered = new Float32Array(x.length);
    for (let head = 0; head < width; head += size) { // where the head's channels begin
      for (let here = 0; here < length; here++) {
        const seen = config.causal ? here + 1 : length; // the one difference between the two models
        const shares = new Float32Array(seen);
        for (let there = 0; there < seen; there++) {
          let match = 0;
          for (let i = head; i < head + size; i++) {
            match += query[here * width + i] * key[there * width + i];
          }
          shares[there] = match / Math.sqrt(size);
        }
        softmax(shares);
        for (let there = 0; there < seen; there++) {
          for (let i = head; i < head + size; i++) {
            gathered[here * width + i] += shares[there] * value[there * width + i];
          }
        }
      }
    }
    return matmul(gathered, weights.out, length);
  }

  // What a position makes of its vector on its own: wider, gated, and back.
  function feedForward(x, weights, length) {
    const gate = matmul(x, weights.gate, length), up = matmul(x, weights.up, length); // (length, d_ff)
    for (let i = 0; i < up.length; i++) up[i] *= gate[i] / (1 + Math.exp(-gate[i]));
    return matmul(up, weights.down, length);
  }

  const add = (x, more) => x.forEach((_, i) => (x[i] += more[i]));

  // Tokens in, (length,); out, for each position, the logits of the vocabulary: (length, vocab).
  // Causal: of the next token; else of the token there.
  function forward(tokens, weights, config) {
    const { d_model: width, vocab_size: vocab, norm_eps: eps } = config, length = tokens.length;
    const x = new Float32Array(length * width); // the stream, to which each layer adds
    tokens.forEach((token, position) => {
      for (let i = 0; i < width; i++) x[position * width + i] = weights.output[i * vocab + token];
    });
    for (const layer of weights.layers) {
      add(x, attention(rmsNorm(x, width, eps), layer.attention, length, config));
      add(x, feedForward(rmsNorm(x, width, eps), layer.feed_forward, length));
    }
    const normed = rmsNorm(x, width, eps);
    for (let i = 0; i < normed.length; i++) normed[i] *= weights.scale[i % width];
    return matmul(normed, weights.output, length);
  }

  // ---- weights ----------------------------------------------------------------------------------

  // A safetensors file: the length of a header, the header (JSON), then numbers of 16 bits, or of 8
  // with, for each column of their matrix, the step from one to the next.
  // -> {layers: [{attention: {query, …}, feed_forward: {gate, …}}, …], output, scale}
  function unpack(file) {
    const start = 8 + Number(new DataView(file).getBigUint64(0, true));
    const header = JSON.parse(new TextDecoder().decode(new Uint8Array(file, 8, start - 8)));
    const bytes = (name) => file.slice(...header[name].data_offsets.map((offset) => start + offset));
    const weights = { layers: [] };
    for (const name in header) {
      if (name === "__metadata__" || name.endsWith(".step")) continue;
      const path = name.split("."), last = path.pop();
      let place = weights;
      for (const step of path) place = place[step] ??= {};
      if (header[name].dtype === "I8") {
        const steps = single(new Uint16Array(bytes(`${name}.step`)));
        place[last] = Float32Array.from(new Int8Array(bytes(name)), (n, i) => n * steps[i % steps.length]);
      } else place[last] = single(new Uint16Array(bytes(name)));
    }
    return weights;
  }

  // Half precision to single: a sign, five bits of exponent, ten of fraction.
  const POWERS = Float32Array.from({ length: 32 }, (_, exponent) => 2 ** (exponent - 15));
  function single(halves) {
    const numbers = new Float32Array(halves.length);
    for (let i = 0; i < halves.length; i++) {
      const exponent = (halves[i] >> 10) & 31, fraction = (halves[i] & 1023) / 1024;
      const size = exponent ? POWERS[exponent] * (1 + fraction) : POWERS[1] * fraction;
      numbers[i] = halves[i] >> 15 ? -size : size;
    }
    return numbers;
  }

  // Letters of 15 bits each, the first of which is U+0100: eight of them hold fifteen bytes. Fills in
  // the bytes from one place, a multiple of 15, to another.
  function fillIn(bytes, letters, from, until) {
    for (let i = (from / 15) * 8, at = from, bits = 0, held = 0; at < until; ) {
      if (held < 8) {
        bits = ((bits << 15) | (letters.charCodeAt(i++) - 0x100)) & 0x3fffff;
        held += 15;
      }
      bytes[at++] = bits >> (held -= 8); // the last 8 of these bits are kept
    }
  }
  const PIECE = 15 * 10_000;

  // Weights come as scripts, NAME.js next to this one: a page opened from a file may not fetch, but
  // may load scripts. Each calls oneToken.arrived.
  const here = document.currentScript.src, waiting = {};

  // The model of this name, once it is there: {config, tokens, logits(ids)}.
  oneToken.load = (name) =>
    (waiting[name] ??= {}).model ??= new Promise((resolve, reject) => {
      waiting[name].resolve = resolve;
      const script = document.createElement("script");
      script.src = new URL(`${name}.js`, here);
      script.onerror = () => {
        delete waiting[name].model; // who asks again may have more luck
        reject(new Error(`the weights ${name}.js could not be loaded`));
      };
      document.head.append(script);
    });

  // tokens: the vocabulary. results: what was measured of it. letters: a safetensors file so long. It
  // is read in pieces, so that between them a slow phone can answer to a touch.
  oneToken.arrived = async (name, { config, tokens, results, length, letters }) => {
    const bytes = new Uint8Array(length);
    for (let at = 0; at < length; at += PIECE) {
      fillIn(bytes, letters, at, Math.min(length, at + PIECE));
      await new Promise((resolve) => setTimeout(resolve));
    }
    const weights = unpack(bytes.buffer);
    waiting[name].resolve({ config, tokens, results, logits: (ids) => forward(ids, weights, config) });
  };
  oneToken.softmax = softmax;
})();
