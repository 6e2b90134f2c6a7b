// Orders: found by id, sale, buyer, SKU or status; given more time to pay, or cancelled.

import { el, list, put, set, write } from './dom.js';
import { has, t } from './language.js';
import { money, moment } from './format.js';
import { ask, Problem, query } from './api.js';
import { announce, openDialog, Unfit } from './dialog.js';
import { mayChangeOrders } from './roles.js';

// statuses that can be searched: an order that is held or queued has no row yet, and is found by its id.
const statuses = ['confirmed', 'paid', 'cancelled', 'expired', 'refused'];
const page = 50;
const longest = 7 * 24 * 60; // minutes: the furthest pay_by from now

const statusName = (status) => (has(`status.${status}`) ? t(`status.${status}`) : status);
const orderURL = (id, rest = '') => `/admin/v1/orders/${encodeURIComponent(id)}${rest}`;

// ordersPage shows the newest answer of a search, page by page.
export function ordersPage(frame) {
  frame.title(t('nav.orders'));
  const inputs = Object.fromEntries(['order_id', 'sale', 'buyer', 'sku'].map((name) => [name,
    el('input', { name, id: `orders-${name}`, autocomplete: 'off', spellcheck: 'false',
      value: frame.members.get(name) || '' })]));
  const status = el('select', { id: 'orders-status', name: 'status' }, el('option', { value: '' }, t('orders.any')),
    statuses.map((one) => el('option', { value: one }, statusName(one))));
  const fault = el('div', { role: 'alert' });
  const empty = el('p', { class: 'quiet empty', role: 'status' });
  const rows = el('tbody');
  const more = el('button', { type: 'button', class: 'small', hidden: true, click: () => read(true) }, t('orders.more'));
  let found = [];
  let cursor = '';
  const draw = list(rows, (order) => order.order_id, (order) => orderRow(order, frame.session.role, replace), writeOrder);

  function replace(order) {
    found = found.map((one) => (one.order_id === order.order_id ? { ...one, ...order } : one));
    draw(found);
  }

  async function read(on = false) {
    put(fault);
    try {
      const id = inputs.order_id.value.trim();
      const answer = id ? { orders: [await ask('GET', orderURL(id))] } : await ask('GET', `/admin/v1/orders${query({
        sale: inputs.sale.value.trim(), buyer: inputs.buyer.value.trim(), sku: inputs.sku.value.trim(), status: status.value,
        cursor: on ? cursor : '', limit: page })}`);
      found = on ? [...found, ...answer.orders] : answer.orders;
      cursor = answer.next || '';
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      if (!on) found = [];
      cursor = '';
      if (problem.status !== 404) put(fault, el('p', { class: 'notice bad' }, problem.lines().join(' ')));
    }
    draw(found);
    more.hidden = cursor === '';
    write(empty, found.length ? '' : t(cursor ? 'orders.none_yet' : 'orders.none'));
  }

  put(frame.main, el('div', { class: 'head' }, el('h1', {}, t('nav.orders'))),
    el('form', { class: 'search', submit: (event) => { event.preventDefault(); read(); } },
      Object.entries(inputs).map(([name, input]) =>
        el('div', { class: 'field' }, el('label', { for: input.id }, t(`orders.${name}`)), input)),
      el('div', { class: 'field' }, el('label', { for: 'orders-status' }, t('orders.status')), status),
      el('button', { type: 'submit', class: 'primary' }, t('orders.search'))), fault,
    el('section', { class: 'panel' }, el('div', { class: 'scroll', role: 'group', tabindex: '0', 'aria-label': t('nav.orders') },
      el('table', {}, el('thead', {}, el('tr', {}, ['order_id', 'status', 'sale', 'buyer', 'lines', 'total', 'created', 'pay_by']
        .map((key) => el('th', { scope: 'col', class: key === 'total' ? 'num' : '' }, t(`orders.${key}`))),
      el('th', { scope: 'col' }, el('span', { class: 'unseen' }, t('orders.change'))))), rows)), empty,
    el('div', { class: 'panel-foot' }, more)));
  read();
}

function orderRow(order, role, changed) {
  const parts = { status: el('span'), lines: el('td'), pay: el('td'), why: el('span', { class: 'why' }), order };
  const of = (verb, act) => el('button', { type: 'button', class: 'small', 'data-action': verb,
    click: () => act(parts.order, changed) },
    t(`action.${verb}`), el('span', { class: 'unseen' }, ` ${order.order_id}`));
  parts.buttons = [of('extend', confirmExtend), of('cancel-order', confirmCancel)];
  parts.role = role;
  const row = el('tr', { 'data-order': order.order_id }, el('th', { scope: 'row', class: 'mono' }, order.order_id),
    el('td', {}, parts.status), el('td', { class: 'mono' }, order.sale), el('td', { class: 'mono' }, order.buyer_id || ''),
      parts.lines,
    el('td', { class: 'num' }, money(order.total_cents, order.currency)), el('td', {}, moment(order.created_at)), parts.pay,
    el('td', {}, el('span', { class: 'switches' }, parts.buttons), parts.why));
  row.parts = parts;
  return row;
}

const kinds = { paid: 'good', confirmed: 'accent', refused: 'bad', expired: 'warn', cancelled: '' };

function writeOrder({ parts }, order) {
  parts.order = order;
  set(parts.status, 'class', `badge ${kinds[order.status] || ''}`);
  write(parts.status, statusName(order.status) + (order.reason ? ` (${order.reason})` : ''));
  write(parts.lines, (order.lines || []).map((line) => `${line.quantity} × ${line.sku}`).join(', '));
  write(parts.pay, order.pay_by ? moment(order.pay_by) : '–');
  const why = !mayChangeOrders(parts.role) ? t('why.role', { role: t('role.operator') })
    : order.status !== 'confirmed' ? t('why.order', { status: statusName(order.status) }) : '';
  for (const button of parts.buttons) button.disabled = why !== '' || (button.dataset.action === 'extend' && !order.pay_by);
  write(parts.why, why);
}

// named says which order a confirmation is about.
const named = (order) => ({ order: order.order_id, sale: order.sale, buyer: order.buyer_id || '',
  total: money(order.total_cents, order.currency), pay_by: moment(order.pay_by) });

// again reads the order before it is changed; one that somebody has changed meanwhile is shown first.
async function again(order, handle, changed) {
  const now = await ask('GET', orderURL(order.order_id));
  if (now.status === order.status && now.pay_by === order.pay_by) {
    if (now.status !== 'confirmed') throw new Unfit(t('why.order', { status: statusName(now.status) }));
    return true;
  }
  changed(now);
  handle.say(el('p', {}, t('orders.changed', { was: statusName(order.status), status: statusName(now.status),
    pay_by: moment(now.pay_by) })), el('p', {}, t('confirm.again')));
  Object.assign(order, now);
  return false;
}

function confirmExtend(shown, changed) {
  const order = { ...shown };
  const words = el('p');
  const input = el('input', { type: 'number', id: 'extend-by', min: 1, max: longest, step: 1, value: 15, inputmode: 'numeric' });
  const until = el('p', { class: 'quiet', role: 'status' });
  const opened = Date.now();
  const wanted = () => new Date(Math.max(Date.parse(order.pay_by), opened) + Number(input.value) * 60_000);
  const tell = () => {
    write(words, t('confirm.extend', named(order)));
    write(until, input.checkValidity() ? t('orders.until', { pay_by: moment(wanted()) }) : '');
  };
  input.addEventListener('input', tell);
  tell();
  openDialog({
    title: t('confirm.extend.title', named(order)), confirmLabel: t('action.extend'),
    content: [words,
      el('div', { class: 'field' }, el('label', { for: 'extend-by' }, t('orders.minutes')), input, until)],
    confirm: async (handle) => {
      if (!input.checkValidity() || input.value === '') throw new Unfit(t('orders.range', { most: longest }));
      if (!await again(order, handle, changed)) {
        tell(); // the minutes count from the deadline as it is now
        return false;
      }
      const answer = await ask('PUT', orderURL(order.order_id, '/pay_by'), { body: { pay_by: wanted().toISOString() } });
      changed(answer);
      announce(t('done.extend', named(answer)));
      return true;
    },
  });
}

function confirmCancel(shown, changed) {
  const order = { ...shown };
  openDialog({
    title: t('confirm.cancel-order.title', named(order)), confirmLabel: t('action.cancel-order'), danger: true,
    content: [el('p', {}, t('confirm.cancel-order', named(order)))],
    confirm: async (handle) => {
      if (!await again(order, handle, changed)) return false;
      const answer = await ask('DELETE', orderURL(order.order_id));
      changed(answer);
      announce(t('done.cancel-order', named(order)));
      return true;
    },
  });
}
