// The shop page of the dev command: a countdown, Buy, and the way of each order. The page is a buyer's app as docs/buyers.md
// describes one: it keeps a key for each press while it repeats, and polls an order until it is confirmed.

import { el, list, put, set, write } from './dom.js';
import { has, preferred, speak, t } from './language.js';
import { countdown, moment, money } from './format.js';
import { languageSwitch, themeSwitch } from './switches.js';
import { Problem, send } from './api.js';

const words = '/console/locales/shop-';
const way = ['held', 'queued', 'confirmed'];
const root = document.getElementById('app');
const asked = new URLSearchParams(location.search).get('sale');

let buyer = JSON.parse(localStorage.getItem('buyer') || 'null'); // {sale, buyer, token}
let screen = null; // the parts of the page that change
let view = null; // the sale as buyers see it
let ahead = 0; // the server's clock minus ours, in ms
const orders = new Map(); // of the buyer, by id

const saleId = () => asked || buyer.sale;
const saleURL = (rest = '') => `/v1/sales/${encodeURIComponent(saleId())}${rest}`;
const orderURL = (order) => saleURL(`/orders/${order.order_id}`);

async function becomeBuyer() {
  buyer = await (await send('GET', '/shop/token')).json();
  localStorage.setItem('buyer', JSON.stringify(buyer));
}

// asBuyer makes a request with the buyer's token. A token that the engine does not accept any more is replaced once, with the
// buyer.
async function asBuyer(method, path, options = {}) {
  const once = () => send(method, path, { ...options, quiet: true,
    headers: { ...options.headers, Authorization: `Bearer ${buyer.token}` } });
  try {
    return await once();
  } catch (fault) {
    if (fault.status !== 401) throw fault;
    await becomeBuyer();
    draw();
    return once();
  }
}

function draw() {
  const items = el('div', { class: 'items' });
  const shown = el('div', { class: 'orders' });
  screen = {
    name: el('h1', {}, view ? view.name || view.sale : saleId()), state: el('span', { class: 'badge' }),
    remaining: el('p', { class: 'countdown', 'data-countdown': '' }), answer: el('div', { role: 'alert' }),
    title: el('h2', { class: 'title', hidden: true }, t('shop.orders')),
    items: list(items, (item) => item.sku, itemRow, writeItem),
    orders: list(shown, (order) => order.order_id, orderCard, writeOrder),
  };
  put(root, el('header', { class: 'shop-top' },
    el('span', { class: 'brand' }, el('img', { src: '/console/icon.svg', alt: '', width: 22, height: 22 }), t('shop.brand')),
    el('div', { class: 'shop-end' }, el('span', { class: 'quiet' }, t('shop.buyer'), ' ',
      el('span', { class: 'mono', 'data-buyer': buyer.buyer }, buyer.buyer)),
      el('button', { type: 'button', class: 'small', 'data-action': 'another-buyer', click: another }, t('shop.another')),
      themeSwitch(), languageSwitch(() => { draw(); show(); }, words))),
  el('main', { class: 'shop' },
    el('div', { class: 'shop-head' }, screen.name, el('div', { class: 'shop-state' }, screen.state, screen.remaining)),
    items, screen.answer, el('section', { class: 'orders', 'aria-label': t('shop.orders') }, screen.title, shown)));
}

async function another() {
  await becomeBuyer();
  orders.clear();
  draw();
  show();
}

function itemRow(item) {
  const parts = { name: el('h2'), price: el('p', { class: 'price' }) };
  parts.button = el('button', { type: 'button', class: 'primary', 'data-action': 'buy',
    click: () => buy(item.sku, parts.button) },
    t('shop.buy'), el('span', { class: 'unseen' }, ` ${item.name || item.sku}`));
  const row = el('article', { class: 'item', 'data-sku': item.sku }, parts.name, parts.price, parts.button);
  row.parts = parts;
  return row;
}

function writeItem({ parts }, item) {
  write(parts.name, item.name || item.sku);
  write(parts.price, money(item.price_cents, view.currency) + (item.sold_out ? ` · ${t('shop.sold_out')}` : ''));
}

// buy presses once. While the answer is unknown it repeats with the same key, so that no press becomes two orders.
async function buy(sku, button) {
  if (button.getAttribute('aria-disabled') === 'true') return;
  button.setAttribute('aria-disabled', 'true');
  put(screen.answer);
  const key = [...crypto.getRandomValues(new Uint8Array(12))].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  try {
    for (let attempt = 1; ; attempt += 1) {
      try {
        const answer = await asBuyer('POST', saleURL(`/items/${encodeURIComponent(sku)}/orders`),
          { body: { quantity: 1 }, headers: { 'Idempotency-Key': key } });
        follow(await answer.json());
        return;
      } catch (fault) {
        const perhaps = fault instanceof Problem && ['unknown', 'internal', 'no_answer'].includes(fault.code);
        if (!perhaps || attempt === 5) throw fault;
        await new Promise((resolve) => { setTimeout(resolve, 1000 * attempt); });
      }
    }
  } catch (fault) {
    if (!(fault instanceof Problem)) throw fault;
    refused(fault);
  } finally {
    button.removeAttribute('aria-disabled');
  }
}

function refused({ code, document: problem }) {
  const known = has(`refusal.${code}`);
  put(screen.answer, el('div', { class: 'notice warn', 'data-outcome': code },
    el('p', {}, known ? t(`refusal.${code}`, problem) : problem.title || code),
      known ? null : el('p', {}, problem.detail || '')));
}

// follow shows an order and waits with the engine until it is confirmed, for as long as this buyer stays.
async function follow(first) {
  const of = buyer.buyer;
  let order = first;
  for (;;) {
    if (buyer.buyer !== of) return;
    orders.set(order.order_id, order);
    show();
    if (!way.includes(order.status) || order.status === 'confirmed') return;
    try {
      order = await (await asBuyer('GET', `${orderURL(order)}?wait=10s`)).json();
    } catch (fault) {
      if (!(fault instanceof Problem)) throw fault;
      await new Promise((resolve) => { setTimeout(resolve, 1500); });
    }
  }
}

function orderCard(order) {
  const parts = { steps: way.map((status) =>
    el('li', { 'data-step': status }, el('b', {}, t(`way.${status}`)), t(`way.${status}.means`))),
    status: el('b', { role: 'status' }), until: el('span', { class: 'quiet' }), order };
  parts.cancel = el('button', { type: 'button', class: 'small', 'data-action': 'cancel-order', click: () => cancel(parts.order) },
    t('shop.cancel'));
  const card = el('article', { class: 'order', 'data-order': order.order_id },
    el('div', { class: 'order-head' }, parts.status, el('span', { class: 'mono quiet' }, order.order_id)),
    el('p', {}, (order.lines || []).map((line) => `${line.quantity} × ${line.sku}`).join(', '),
      ` · ${money(order.total_cents, order.currency)}`),
    el('ol', { class: 'way' }, parts.steps), el('div', { class: 'order-foot' }, parts.until, parts.cancel));
  card.parts = parts;
  return card;
}

function writeOrder(card, order) {
  const { parts } = card;
  parts.order = order;
  set(card, 'data-status', order.status);
  const reached = way.includes(order.status) ? way.indexOf(order.status) : order.status === 'refused' ? -1 : way.length - 1;
  parts.steps.forEach((step, at) => set(step, 'class', at <= reached ? 'reached' : false));
  write(parts.status, t(`status.${order.status}`));
  const waits = order.status === 'confirmed';
  write(parts.until, waits && order.pay_by ?
    t('shop.pay_by', { at: moment(order.pay_by), in: countdown(Date.parse(order.pay_by) - now()) }) : '');
  parts.cancel.hidden = !waits;
}

async function cancel(order) {
  try {
    const answer = await (await asBuyer('DELETE', orderURL(order))).json();
    orders.set(answer.order_id, answer);
    show();
  } catch (fault) {
    if (!(fault instanceof Problem)) throw fault;
    refused(fault);
  }
}

const now = () => Date.now() + ahead;

function show() {
  if (view) {
    const kinds = { open: 'good', upcoming: 'accent', paused: 'warn' };
    write(screen.name, view.name || view.sale);
    set(screen.state, 'class', `badge ${kinds[view.state] || ''}`);
    set(screen.state, 'data-state', view.state);
    write(screen.state, t(`state.${view.state}`));
    const starts = Date.parse(view.starts_at) - now();
    const ends = Date.parse(view.ends_at) - now();
    write(screen.remaining, starts > 0 ? t('window.starts', { in: countdown(starts) })
      : ends > 0 ? t('window.ends', { in: countdown(ends) }) : '');
    screen.items(view.items);
  }
  screen.title.hidden = orders.size === 0;
  screen.orders([...orders.values()].sort((a, b) => b.order_id.length - a.order_id.length || (a.order_id < b.order_id ? 1 : -1)));
}

async function look() {
  if (document.hidden && view) return;
  try {
    view = await (await send('GET', saleURL())).json();
    ahead = Date.parse(view.server_time) - Date.now();
    if (screen.answer.querySelector('[data-problem]')) put(screen.answer);
  } catch (fault) {
    if (!(fault instanceof Problem)) throw fault;
    put(screen.answer, el('p', { class: 'notice bad', 'data-problem': fault.code }, t('shop.away')));
  }
  show();
}

async function ownOrders() {
  const answer = await (await asBuyer('GET', saleURL('/orders'))).json();
  for (const order of answer.orders) follow(order);
}

await speak(preferred(), words);
if (!buyer) await becomeBuyer();
draw();
await look();
setInterval(look, 1000);
setInterval(show, 250);
if (view) await ownOrders().catch((fault) => { if (!(fault instanceof Problem)) throw fault; });
