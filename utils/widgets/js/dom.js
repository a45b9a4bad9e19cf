// Elements of the page and of drawings.
export const SVG = "http://www.w3.org/2000/svg";

export function set(node, attributes) {
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return node;
}

/** Append a new element to `parent`; inside a drawing it is an SVG element. */
export function make(parent, tag, attributes = {}, text = "") {
  const drawing = tag === "svg" || parent.namespaceURI === SVG;
  const node = drawing ? document.createElementNS(SVG, tag) : document.createElement(tag);
  node.textContent = text;
  parent.append(set(node, attributes));
  return node;
}

/** Show a node, or leave it out of sight. */
export const reveal = (node, isShown) => node.classList.toggle("gone", !isShown);

export const uid = (name) => `dll-${name}-${Math.random().toString(36).slice(2)}`;
