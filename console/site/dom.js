// Builds the page. Data becomes text nodes and attributes only, so a name that is markup is shown as it is written.

const svgSpace = 'http://www.w3.org/2000/svg';

// el makes an HTML element: el('td', {class: 'num', 'data-term': 'paid'}, '12'). A property that is a function listens to the
// event of its name; true and false set and leave out an attribute; null children are left out.
export function el(name, properties = {}, ...children) {
  return fill(document.createElement(name), properties, children);
}

// svg makes an SVG element.
export function svg(name, properties = {}, ...children) {
  return fill(document.createElementNS(svgSpace, name), properties, children);
}

function fill(node, properties, children) {
  for (const [key, value] of Object.entries(properties)) set(node, key, value);
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

// set gives one attribute or listener to an element, and touches an attribute only when it changes.
export function set(node, key, value) {
  if (typeof value === 'function') node.addEventListener(key, value);
  else if (value === false || value === null || value === undefined) node.removeAttribute(key);
  else if (node.getAttribute(key) !== String(value === true ? '' : value)) node.setAttribute(key, value === true ? '' : value);
}

// write sets the text of an element when it changes, so that a live number costs nothing while it stands still.
export function write(node, text) {
  const wanted = text === null || text === undefined ? '' : String(text);
  if (node.textContent !== wanted) node.textContent = wanted;
}

// put replaces the children of an element.
export function put(node, ...children) {
  node.replaceChildren(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
}

// list keeps the children of a parent equal to rows, by key: make builds the element of a new row, update writes a row into its
// element. Elements of rows that stay are kept, with the focus that they may have.
export function list(parent, keyOf, make, update) {
  const known = new Map();
  return (rows) => {
    const wanted = new Set(rows.map(keyOf));
    for (const [key, node] of known) {
      if (!wanted.has(key)) { node.remove(); known.delete(key); }
    }
    let before = parent.firstElementChild;
    for (const row of rows) {
      const key = keyOf(row);
      let node = known.get(key);
      if (!node) { node = make(row); known.set(key, node); }
      if (node === before) before = before.nextElementSibling;
      else parent.insertBefore(node, before);
      update(node, row);
    }
  };
}
