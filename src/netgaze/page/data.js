// What the page was given, decoded when it is first asked for, and what follows from it.

const kinds = {
  int8: Int8Array,
  uint8: Uint8Array,
  uint16: Uint16Array,
  uint32: Uint32Array,
  float32: Float32Array,
};
const kept = new WeakMap();

/** Computes something about an object once and keeps it with the object. */
export function remember(owner, key, compute) {
  if (!kept.has(owner)) kept.set(owner, new Map());
  const values = kept.get(owner);
  if (!values.has(key)) values.set(key, compute());
  return values.get(key);
}

/** The numbers of an array, as a typed array. */
export function read(array) {
  return remember(array, "numbers", () => {
    const text = atob(array.base64);
    const bytes = new Uint8Array(text.length);
    for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
    return new kinds[array.dtype](bytes.buffer);
  });
}

/** The numbers of an array at one place of its first axis. */
export function readRow(array, row) {
  const size = array.shape.slice(1).reduce((product, length) => product * length, 1);
  return read(array).subarray(row * size, (row + 1) * size);
}

/** A set of images with the networks that looked at them; its tiles are drawn once `ready` has been called. */
export function openSet(set, ready) {
  const tiles = new Image();
  tiles.addEventListener("load", ready);
  tiles.src = set.sprite.url;
  return {
    ...set,
    tiles,
    size: set.labels.shape[0],
    truth: read(set.labels),
    parts: read(set.split),
    numbers: read(set.index),
  };
}

/** What a link calls an image: its number, behind its split's name where there are several. */
export function idOf(deck, row) {
  const number = String(deck.numbers[row]);
  return deck.splits.length > 1 ? `${deck.splits[deck.parts[row]]}:${number}` : number;
}

/** The row of an image that a link names; -1 where there is none. */
export function rowOf(deck, id) {
  return remember(deck, "rows", () => new Map(Array.from(deck.truth, (_, row) => [idOf(deck, row), row]))).get(id) ?? -1;
}

/** What people call an image. */
export function titleOf(deck, row) {
  return `${deck.splits[deck.parts[row]]} image ${deck.numbers[row]}`;
}

/** The name of an image's true class. */
export function truthOf(deck, row) {
  return deck.class_names[deck.truth[row]];
}

/** Which snapshot a network shows at an epoch: the last not after it, else its first; -1 is the end of training. */
export function snapshotAt(network, epoch) {
  if (epoch === null || !network.snapshots) return -1;
  return Math.max(0, network.snapshots.epochs.filter((one) => one <= epoch).length - 1);
}

/** Everything a network answers at the end of training: by its head, else by its neighbors' vote; or null. */
export function allAnswers(network) {
  return network.answers ?? network.votes ?? null;
}

/** The first answers of a network at an epoch: `classes` and `shares`, one an image; or null. */
export function firstAnswers(network, epoch) {
  const place = snapshotAt(network, epoch);
  if (place < 0) return takeFirst(allAnswers(network));
  const { classes, shares } = network.snapshots;
  return { classes: readRow(classes, place), shares: readRow(shares, place) };
}

function takeFirst(part) {
  if (!part) return null;
  return remember(part, "first", () => {
    const width = part.classes.shape[1];
    const pick = (array) => read(array).filter((_, i) => i % width === 0);
    return { classes: pick(part.classes), shares: pick(part.shares) };
  });
}

/** The losses of a network, one an image; or null. */
export function lossesOf(network) {
  const part = allAnswers(network);
  return part?.loss ? read(part.loss) : null;
}

/** The place of each image's loss among all, 1 for the greatest; equal losses share a place. */
export function lossRanks(network) {
  return remember(network, "ranks", () => {
    const losses = lossesOf(network);
    const order = Array.from(losses.keys()).sort((a, b) => losses[b] - losses[a]);
    const ranks = new Uint32Array(losses.length);
    order.forEach((row, place) => {
      const before = order[place - 1];
      ranks[row] = place > 0 && losses[before] === losses[row] ? ranks[before] : place + 1;
    });
    return ranks;
  });
}

/** How two networks are held against each other: by their heads where both have one, else by votes. */
export function agreementBy(first, second) {
  const heads = first.answers?.by === "head" && second.answers?.by === "head";
  return heads ? "head" : "neighbors";
}

/** For each image: 0 both are right, 1 only the first, 2 only the second, 3 neither; null where one has no answer. */
export function agreementCells(deck, first, second, epoch) {
  const byHead = agreementBy(first, second) === "head";
  const [a, b] = [first, second].map((network) => (byHead ? firstAnswers(network, epoch) : takeFirst(network.votes ?? network.answers)));
  if (!a || !b) return null;
  return deck.truth.map((label, row) => (a.classes[row] === label ? 0 : 2) + (b.classes[row] === label ? 0 : 1));
}

/** A further number of a network, one an image, NaN where it has none; null where the network has no such number. */
export function furtherValues(deck, network, key) {
  const part = network.values?.[key];
  if (!part) return null;
  return remember(part, "rows", () => {
    const values = new Float32Array(deck.size).fill(Number.NaN);
    const given = new Map(Array.from(read(part.index), (number, i) => [number, read(part.values)[i]]));
    for (let row = 0; row < deck.size; row++) {
      if (deck.parts[row] === 0 && given.has(deck.numbers[row])) values[row] = given.get(deck.numbers[row]);
    }
    return values;
  });
}

/** The names that the networks of a set give to something, each once. */
export function namesOf(deck, part) {
  return [...new Set(deck.networks.flatMap((network) => Object.keys(network[part] ?? {})))];
}

/** The epochs of which some network kept a snapshot, in order. */
export function epochsOf(deck) {
  return [...new Set(deck.networks.flatMap((network) => network.snapshots?.epochs ?? []))].sort((a, b) => a - b);
}
