// Elements and words. Text only ever becomes text: nothing here, nor in the other files, writes markup.

/** Makes an element: `text` is its text, `on...` are listeners, all else are attributes. */
export function make(tag, options = {}, ...children) {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(options)) {
    if (key === "text") node.textContent = value;
    else if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (typeof value === "boolean") node.toggleAttribute(key, value);
    else node.setAttribute(key, value);
  }
  node.append(...children);
  return node;
}

/** A name that somebody chose: clipped by the style sheet, whole in its title, in its own direction of writing. */
export function makeName(text) {
  return make("bdi", { class: "name", text, title: text });
}

/** A button with a few words. */
export function makeButton(text, press, options = {}) {
  return make("button", { type: "button", text, onclick: press, ...options });
}

/** A select in its label; choices are pairs of a value and words. */
export function makeSelect(words, choices, pick) {
  const select = make("select", { "aria-label": words, onchange: () => pick(select.value) });
  fillSelect(select, choices);
  return make("label", { class: "field" }, make("span", { text: words }), select);
}

/** Gives a select other choices. */
export function fillSelect(select, choices) {
  select.replaceChildren(...choices.map(([value, text]) => make("option", { value, text: shorten(text), title: text })));
}

/** A range input in its label. */
export function makeRange(words, limits, move) {
  const input = make("input", { type: "range", "aria-label": words, ...limits, oninput: () => move(Number(input.value)) });
  return make("label", { class: "field" }, make("span", { text: words }), input);
}

/** Cuts a text where no style sheet reaches: options of a select, words on a canvas, what is read aloud. */
export function shorten(text, most = 60) {
  if (text.length <= most) return text;
  return `${Array.from(text.slice(0, 2 * most), String)
    .slice(0, most - 1)
    .join("")}…`;
}

const whole = new Intl.NumberFormat("en-US");
const rounded = new Intl.NumberFormat("en-US", { maximumSignificantDigits: 4 });

/** 1234 becomes 1,234. */
export function count(number) {
  return whole.format(number);
}

/** Four digits that count; what is no number is said so. */
export function round(number) {
  return Number.isFinite(number) ? rounded.format(number) : "unknown";
}

/** A share in percent. */
export function percent(share) {
  return `${(100 * share).toFixed(1)}%`;
}

/** "1 image", "2 images". */
export function countImages(number) {
  return `${count(number)} image${number === 1 ? "" : "s"}`;
}
