// The trail: who changed what, and when.

import { el, put } from './dom.js';
import { has, t } from './language.js';
import { clock, count, moment } from './format.js';
import { ask, Problem, query } from './api.js';

const done = 'done'; // the outcome of a change that was made; a refused one has the code of its refusal

const sum = (units) => Object.values(units).reduce((all, one) => all + one, 0);

// whatWasDone says one entry in a sentence without its time.
export function whatWasDone(entry) {
  const who = entry.who === 'engine' ? t('trail.engine') : t('trail.who', { who: entry.who, role: entry.role });
  if (entry.outcome !== done) return t('trail.refused', { who, target: entry.target, verb: entry.verb, outcome: entry.outcome });
  const key = `trail.${entry.verb}`;
  const { added, stock, asked } = entry.verb === 'stock' && entry.after ? entry.after : {};
  if (added > 0) return t('trail.stock.added', { who, target: entry.target, units: count(added), stock: count(stock) });
  if (added < 0) return t('trail.stock.taken', { who, target: entry.target, units: count(-added), stock: count(stock) });
  if (asked < 0) return t('trail.stock.asked', { who, target: entry.target, units: count(-asked) });
  if (stock instanceof Object) { // what Redis has given back, by SKU
    const units = sum(entry.before.stock) - sum(stock);
    return t('trail.stock.given', { who, target: entry.target, units: count(units) });
  }
  return has(key) ? t(key, { who, target: entry.target }) : t('trail.other', { who, target: entry.target, verb: entry.verb });
}

const compactJSON = (value) => (value === null || value === undefined ? '–' : JSON.stringify(value, null, 1));

// difference returns what of before and after differs, as {before, after} of the members that changed.
export function difference(before, after) {
  const isObject = (value) => value !== null && typeof value === 'object' && !Array.isArray(value);
  if (!isObject(before) || !isObject(after)) return { before, after };
  const changed = { before: {}, after: {} };
  for (const key of new Set([...Object.keys(before), ...Object.keys(after)])) {
    if (JSON.stringify(before[key]) === JSON.stringify(after[key])) continue;
    if (key in before) changed.before[key] = before[key];
    if (key in after) changed.after[key] = after[key];
  }
  return changed;
}

// entryNode shows one entry; what changed is opened by whoever wants to see it.
export function entryNode(entry, timeOf = clock) {
  const { before, after } = difference(entry.before, entry.after);
  const changed = before === null && after === null ? null : el('details', {}, el('summary', {}, t('trail.details')),
    el('dl', { class: 'change' }, el('dt', {}, t('trail.before')), el('dd', {}, el('pre', {}, compactJSON(before))),
      el('dt', {}, t('trail.after')), el('dd', {}, el('pre', {}, compactJSON(after)))));
  return el('li', { 'data-entry': entry.id, 'data-verb': entry.verb },
    el('time', { datetime: entry.at, title: moment(entry.at), class: 'quiet' }, timeOf(entry.at)),
    el('div', {}, el('p', { class: entry.outcome === done ? '' : 'warn' }, whatWasDone(entry)), changed));
}

const page = 100; // entries that the page of the whole trail reads at once
const most = 60; // entries that the live screen keeps

// liveTrail returns the panel of a sale's trail, and add for each entry of the stream; an entry that is known is left out.
export function liveTrail() {
  const entries = el('ol', { class: 'trail', id: 'trail-entries' });
  const none = el('p', { class: 'quiet' }, t('trail.none'));
  const known = new Set();
  const node = el('section', { class: 'panel', 'aria-labelledby': 'trail-title' },
    el('h2', { class: 'panel-title', id: 'trail-title' }, t('nav.trail')),
    el('div', { class: 'trail-box', tabindex: '0', role: 'group', 'aria-labelledby': 'trail-title' }, none, entries));
  return {
    node,
    add(entry) {
      const id = String(entry.id);
      if (known.has(id)) return false;
      known.add(id);
      none.hidden = true;
      const later = [...entries.children].find((one) => compareIds(one.dataset.entry, id) < 0);
      entries.insertBefore(entryNode(entry), later || null);
      if (entries.children.length > most) entries.lastElementChild.remove();
      return true;
    },
  };
}

// compareIds orders ids, which count up and may be too long for a number.
function compareIds(a, b) {
  return a.length - b.length || (a < b ? -1 : a > b ? 1 : 0);
}

// entriesSince returns what was done to a sale itself after a time of Redis's clock, newest first, ten entries at most. What was
// refused has changed nothing, and single orders do not matter. It looks two seconds further back, because the trail has the
// database's clock.
export async function entriesSince(sale, since) {
  const from = new Date(Date.parse(since) - 2000).toISOString();
  const { entries } = await ask('GET', `/admin/v1/trail${query({ sale, since: from, limit: 1000 })}`);
  return entries.filter((entry) => entry.outcome === done && !entry.target.startsWith('order/')).slice(0, 10);
}

// trailPage shows the whole trail, newest first, of one sale or of all.
export function trailPage(frame) {
  frame.title(t('nav.trail'));
  const entries = el('ol', { class: 'trail wide' });
  const fault = el('div', { role: 'alert' });
  const none = el('p', { class: 'quiet empty', hidden: true }, t('trail.none'));
  const sale = el('input', { id: 'trail-sale', name: 'sale', value: frame.members.get('sale') || '', autocomplete: 'off' });
  const since = el('input', { id: 'trail-since', name: 'since', type: 'datetime-local' });
  const more = el('button', { type: 'button', class: 'small', hidden: true, click: () => read(true) }, t('orders.more'));
  let next = '';

  async function read(on = false) {
    put(fault);
    try {
      const after = since.value ? new Date(since.value).toISOString() : '';
      const answer = await ask('GET', `/admin/v1/trail${query({ sale: sale.value.trim(), since: after, limit: page,
        cursor: on ? next : '' })}`);
      if (!on) put(entries);
      entries.append(...answer.entries.map((entry) => entryNode(entry, moment)));
      next = answer.next || '';
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      put(fault, el('p', { class: 'notice bad' }, problem.lines().join(' ')));
    }
    more.hidden = !next;
    none.hidden = entries.children.length > 0;
  }
  put(frame.main, el('div', { class: 'head' }, el('h1', {}, t('nav.trail'))),
    el('form', { class: 'search', submit: (event) => { event.preventDefault(); read(); } },
      el('div', { class: 'field' }, el('label', { for: 'trail-sale' }, t('orders.sale')), sale),
      el('div', { class: 'field' }, el('label', { for: 'trail-since' }, t('trail.since')), since),
      el('button', { type: 'submit', class: 'primary' }, t('orders.search'))),
    fault, el('section', { class: 'panel' }, none, entries, el('div', { class: 'panel-foot' }, more)));
  read();
}
