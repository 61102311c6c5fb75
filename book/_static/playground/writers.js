// Ways of writing, for either model: what utils/generation does, for one text at a time.
//
// A text is an array of ids, `blank` where nothing is written. A reader is a function of a text that
// returns what the model says of each position: (vocab,) probabilities, or undefined where it cannot
// say anything. A way of writing is a generator of steps:
// {text, changed: [positions], odds: [their probabilities], passes: so far}; where words are taken
// back, was: the text before, and asked: what was found about its words, {position: probability}.
// It yields nothing after a pass by which nothing is written.
(() => {
  "use strict";
  const oneToken = (window.oneToken ??= {});

  // How a model reads. Causal: a position's probabilities come from what stands before it, up to the
  // first blank. Else: from everything, and a blank is no answer.
  oneToken.reader = ({ config, tokens, logits }, blank = tokens.indexOf("<mask>")) => {
    const known = new Map(); // a text is read once, however often the page asks
    const read = (text) => {
      const until = config.causal && text.includes(blank) ? text.indexOf(blank) : text.length;
      const said = logits(text.slice(0, until)), rows = [];
      for (let i = 0; i < until; i++) {
        const row = said.slice(i * config.vocab_size, (i + 1) * config.vocab_size);
        if (!config.causal) row[blank] = -Infinity;
        rows[config.causal ? i + 1 : i] = oneToken.softmax(row);
      }
      return rows;
    };
    return (text) => {
      const key = text.join();
      if (!known.has(key)) known.set(key, read(text));
      return known.get(key);
    };
  };

  const likeliest = (row) => row.indexOf(Math.max(...row));
  const blanksOf = (text, blank) => [...text.keys()].filter((i) => text[i] === blank);
  const same = (a, b) => a.every((token, i) => token === b[i]);

  // A step: these positions get their likeliest tokens.
  function fill(text, positions, said, passes) {
    const after = [...text], odds = positions.map((i) => Math.max(...said[i]));
    for (const i of positions) after[i] = likeliest(said[i]);
    return { text: after, changed: positions, odds, passes };
  }
  // A step: the least likely word becomes blank again, or it and all after it.
  function undo(text, asked, andAfter, blank, passes) {
    const least = Object.keys(asked).map(Number).reduce((a, b) => (asked[b] < asked[a] ? b : a));
    const changed = [...text.keys()].filter((i) => i === least || (andAfter && i > least));
    const after = text.map((token, i) => (changed.includes(i) ? blank : token));
    return { text: after, changed, odds: changed.map((i) => asked[i]), was: text, asked, passes };
  }
  const each = (positions, ask) => Object.fromEntries(positions.map((i) => [i, ask(i)]));

  // Fill one blank after the other; `choose(blanks, said)` names those that a pass fills.
  function* filling(read, text, blank, choose, passes = 0) {
    for (let blanks; (blanks = blanksOf(text, blank)).length; ) {
      const said = read(text), step = fill(text, choose(blanks, said), said, ++passes);
      yield step;
      text = step.text;
    }
    return { text, passes };
  }
  const first = (blanks) => blanks.slice(0, 1);
  const surest = (blanks, said) => {
    const sure = blanks.map((i) => Math.max(...said[i]));
    return [blanks[sure.indexOf(Math.max(...sure))]];
  };
  const sureEnough = (threshold) => (blanks, said) => {
    const enough = blanks.filter((i) => Math.max(...said[i]) >= threshold);
    return enough.length ? enough : surest(blanks, said);
  };

  // Re-masking (revision.py): hide each word in turn and ask for it; the least likely is hidden again
  // and filled anew. A pass for each word, and one to fill.
  function* doubting(read, text, blank, { free, rounds }) {
    let { text: now, passes } = yield* filling(read, text, blank, surest);
    for (let round = 0; round < rounds; round++) {
      const before = now, asked = {};
      for (const i of free) {
        asked[i] = oneToken.leftOut(read, before, i, blank)[before[i]];
        yield; // a pass, and nothing to see yet
      }
      const step = undo(before, asked, false, blank, (passes += free.length));
      yield step;
      ({ text: now, passes } = yield* filling(read, step.text, blank, surest, passes));
      if (same(now, before)) return;
    }
  }
  // What a two-sided model would write in a place, given all other words.
  oneToken.leftOut = (read, text, i, blank) => read(text.map((token, j) => (j === i ? blank : token)))[i];

  // Going back (rewriting.py): from the word least likely after those before it, write all anew. One
  // pass finds the word.
  function* goingBack(read, text, blank, { free, rounds }) {
    let { text: now, passes } = yield* filling(read, text, blank, first);
    for (let round = 0; round < rounds; round++) {
      const before = now, said = read(before), asked = each(free, (i) => said[i][before[i]]);
      const step = undo(before, asked, true, blank, ++passes);
      yield step;
      ({ text: now, passes } = yield* filling(read, step.text, blank, first, passes));
      if (same(now, before)) return;
    }
  }

  // free: the positions that may be rewritten; threshold: from which a word is sure enough.
  oneToken.ways = {
    left: (read, text, blank) => filling(read, text, blank, first),
    surest: (read, text, blank) => filling(read, text, blank, surest),
    threshold: (read, text, blank, { threshold }) =>
      filling(read, text, blank, sureEnough(threshold)),
    doubt: doubting,
    back: goingBack,
  };
})();
