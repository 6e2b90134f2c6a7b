// The list of sales, live.

import { el, list, put, set, write } from './dom.js';
import { has, t } from './language.js';
import { count, countdown, moment, percent, rate } from './format.js';
import { follow } from './stream.js';
import { machines } from './machines.js';

const columns = [['sales.name'], ['sales.state'], ['sales.when'], ['sales.sold'], ['sales.presses', 'num'],
  ['sales.orders', 'num'], ['sales.refused', 'num']];

// stateBadge shows a sale's state in words and colour. frozen is the time since when its holds are frozen, or null.
export function stateBadge(node, state) {
  const kinds = { open: 'good', preloaded: 'accent', paused: 'warn', upcoming: 'accent' };
  set(node, 'class', `badge ${kinds[state] || ''}`);
  write(node, has(`state.${state}`) ? t(`state.${state}`) : state);
}

// windowText says how long it takes until a sale starts or ends, at the time now of Redis's clock, in ms.
export function windowText(sale, now) {
  const starts = Date.parse(sale.starts_at) - now;
  const ends = Date.parse(sale.ends_at) - now;
  if (starts > 0) return t('window.starts', { in: countdown(starts) });
  if (ends > 0) return t('window.ends', { in: countdown(ends) });
  return t('window.ended', { at: moment(sale.ends_at) });
}

// salesPage shows every sale with its state, countdown, what is sold, and what buyers get answered a second.
export function salesPage(frame) {
  frame.title(t('nav.sales'));
  const rows = el('tbody', { role: 'rowgroup' }); // roles are given, because a phone shows rows as cards
  const empty = el('p', { class: 'quiet empty', hidden: true }, t('sales.none'));
  const fault = el('div', { role: 'alert' });
  const filter = el('input', { type: 'search', id: 'sales-filter', placeholder: t('sales.filter'), input: () => draw() });
  const plant = machines();
  let seen = null; // the last event, and when it came by our clock
  let seenAt = 0;

  put(frame.main, el('div', { class: 'head' }, el('h1', {}, t('nav.sales')),
    el('div', { class: 'head-end' }, el('label', { class: 'unseen', for: 'sales-filter' }, t('sales.filter')), filter)),
  fault, el('section', { class: 'panel' },
    el('div', { class: 'scroll', role: 'group', tabindex: '0', 'aria-label': t('nav.sales') },
      el('table', { class: 'sales', role: 'table' }, el('thead', { role: 'rowgroup' }, el('tr', { role: 'row' },
        columns.map(([key, kind = '']) => el('th', { scope: 'col', role: 'columnheader', class: kind }, t(key))))),
          rows)), empty),
  plant.node);

  const update = list(rows, (sale) => sale.id, saleRow, (row, sale) => writeSale(row, sale, now()));
  const now = () => Date.parse(seen.at) + performance.now() - seenAt;

  function draw() {
    if (!seen) return;
    const wanted = filter.value.trim().toLowerCase();
    const shown = seen.sales.filter((sale) => `${sale.id}\n${sale.name}`.toLowerCase().includes(wanted)).sort(byUrgency);
    update(shown);
    empty.hidden = shown.length > 0;
    plant.update(seen.processes || [], seen.stores || []);
  }

  const clock = setInterval(draw, 1000);
  const end = follow('/admin/v1/live', {
    sales: (event) => { seen = event; seenAt = performance.now(); put(fault); draw(); },
    problem: (problem) => put(fault, el('p', { class: 'notice bad' }, problem.detail || problem.title)),
  }, frame.connection);
  return () => { clearInterval(clock); end(); };
}

// byUrgency puts sales that sell first, then those that will, then those that have ended; within these by their start.
function byUrgency(a, b) {
  const order = { open: 0, paused: 0, preloaded: 1, draft: 2, closed: 3, archived: 4 };
  return (order[a.state] ?? 5) - (order[b.state] ?? 5) || a.starts_at.localeCompare(b.starts_at) || a.id.localeCompare(b.id);
}

function saleRow(sale) {
  const cells = {
    state: el('span'), frozen: el('span', { class: 'badge warn', hidden: true }, t('state.frozen')),
    when: el('td', { class: 'when', role: 'cell' }), bar: el('span', { class: 'bar-fill' }),
    sold: el('span', { 'data-term': 'sold' }), loaded: el('span', { 'data-term': 'loaded' }),
      share: el('span', { class: 'quiet' }),
    ...Object.fromEntries(['presses', 'orders', 'refused'].map((key) =>
      [key, el('td', { class: 'num', role: 'cell', 'data-label': t(`sales.${key}`) })])),
    name: el('a', { href: `#/sales/${encodeURIComponent(sale.id)}` }),
  };
  const row = el('tr', { role: 'row', 'data-sale': sale.id },
    el('th', { scope: 'row', role: 'rowheader' }, cells.name, el('span', { class: 'id mono' }, sale.id)),
    el('td', { role: 'cell' }, cells.state, ' ', cells.frozen), cells.when,
    el('td', { class: 'sold-cell', role: 'cell' }, el('span', { class: 'bar', 'aria-hidden': 'true' }, cells.bar),
      el('span', { class: 'sold-words' }, cells.sold, el('span', { class: 'quiet' }, ' / ', cells.loaded), ' ', cells.share)),
    cells.presses, cells.orders, cells.refused);
  row.parts = cells;
  return row;
}

function writeSale(row, sale, now) {
  const cells = row.parts;
  write(cells.name, sale.name || sale.id);
  stateBadge(cells.state, sale.state);
  cells.frozen.hidden = !sale.holds_frozen_since;
  write(cells.when, windowText(sale, now));
  cells.bar.style.width = `${sale.loaded ? Math.min(100, (100 * sale.sold) / sale.loaded) : 0}%`;
  write(cells.sold, count(sale.sold));
  write(cells.loaded, count(sale.loaded));
  write(cells.share, percent(sale.sold, sale.loaded));
  write(cells.presses, rate(sale.presses_per_s));
  write(cells.orders, rate(sale.orders_per_s));
  write(cells.refused, rate(typeof sale.refused_per_s === 'object' && sale.refused_per_s
    ? Object.values(sale.refused_per_s).reduce((sum, n) => sum + n, 0) : sale.refused_per_s));
}
