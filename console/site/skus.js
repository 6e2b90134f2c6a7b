// The SKUs of a sale: searched, sorted and paged by the server, so that ten thousand cost no more than twenty.

import { el, list, set, write } from './dom.js';
import { t } from './language.js';
import { count, duration, percent, rate } from './format.js';

const columns = ['loaded', 'available', 'in_flight', 'settled', 'released', 'sold', 'paid', 'unpaid'];
const sorts = ['sku', 'available', 'sold', 'orders'];
const pageSizes = [20, 50, 100, 200];

// soldOf returns the units that buyers own: settled and not given back; null while that is unknown.
export const soldOf = (stock) => (stock.settled === null || stock.released === null ? null : stock.settled - stock.released);

// booksOf returns whether the books hold, as words of a key: holds, breaks, or unknown while a store is away.
export const booksOf = ({ conserved }) => (conserved === true ? 'holds' : conserved === false ? 'breaks' : 'unknown');

// valueOf returns a column of a stock.
export const valueOf = (stock, column) => (column === 'sold' ? soldOf(stock) : stock[column]);

// newTable returns the panel of SKUs. asked(view) is called when another part is wanted; view is {q, sort, from, limit}. pressed
// (verb, row) is called by a row's button. update shows an answer; allow says why no stock can be added, '' when it can.
export function newTable(view, asked, pressed) {
  const rows = el('tbody');
  const range = el('span', { class: 'quiet' });
  const why = el('span', { class: 'quiet', id: 'skus-why' });
  const empty = el('p', { class: 'quiet empty', hidden: true }, t('skus.none'));
  let typing = 0;
  let against = '';
  const search = el('input', { type: 'search', id: 'sku-search', value: view.q, placeholder: t('skus.search'), input: () => {
    clearTimeout(typing);
    typing = setTimeout(() => go({ q: search.value.trim(), from: 0 }), 250);
  } });
  const sort = choice('sku-sort', sorts, (name) => t(`skus.by.${name}`), view.sort, (name) => go({ sort: name, from: 0 }));
  const size = choice('sku-limit', pageSizes, String, view.limit, (n) => go({ limit: Number(n), from: 0 }));
  const back = el('button', { type: 'button', class: 'small', click: () => go({ from: Math.max(0, view.from - view.limit) }) },
    t('page.back'));
  const on = el('button', { type: 'button', class: 'small', click: () => go({ from: view.from + view.limit }) }, t('page.on'));

  function go(change) {
    Object.assign(view, change);
    asked(view);
  }

  const draw = list(rows, (row) => row.sku, (row) => skuRow(row, (now) => pressed('stock', now)), writeRow);
  const node = el('section', { class: 'panel skus', 'aria-labelledby': 'skus-title' },
    el('div', { class: 'panel-head' }, el('h2', { id: 'skus-title' }, t('skus.title')),
      el('label', { class: 'unseen', for: 'sku-search' }, t('skus.search')), search,
      el('label', { for: 'sku-sort' }, t('skus.sort')), sort, el('label', { for: 'sku-limit' }, t('skus.rows')), size),
    el('div', { class: 'scroll', role: 'group', tabindex: '0', 'aria-labelledby': 'skus-title' },
      el('table', {}, el('thead', {}, el('tr', {}, el('th', { scope: 'col' }, t('term.sku')),
        columns.map((column) => el('th', { scope: 'col', class: 'num' }, t(`term.${column}`))),
        el('th', { scope: 'col', class: 'num' }, t('term.orders_per_s')),
          el('th', { scope: 'col', class: 'num' }, t('term.sold_out_in')),
        el('th', { scope: 'col' }, t('term.conserved')),
          el('th', { scope: 'col' }, el('span', { class: 'unseen' }, t('skus.change'))))),
      rows)), empty,
    el('div', { class: 'panel-foot' }, range, why, el('span', { class: 'switches' }, back, on)));

  return {
    node,
    allow(reason) {
      against = reason;
      write(why, reason ? t('action.why', { action: t('action.stock'), reason }) : '');
    },
    update(items) {
      Object.assign(view, { from: items.from });
      draw(items.rows.map((row) => ({ ...row, against })));
      empty.hidden = items.rows.length > 0;
      const last = items.from + items.rows.length;
      write(range, items.matched === 0 ? '' : t(items.matched === items.total ? 'skus.range' : 'skus.found', {
        first: count(items.from + 1), last: count(last), matched: count(items.matched), total: count(items.total) }));
      set(back, 'disabled', items.from === 0);
      set(on, 'disabled', last >= items.matched);
    },
  };
}

function choice(id, values, words, chosen, changed) {
  return el('select', { id, change: (event) => changed(event.target.value) },
    values.map((value) => el('option', { value, selected: value === chosen }, words(value))));
}

function skuRow(row, add) {
  const parts = { terms: {}, name: el('span', { class: 'quiet name' }),
    speed: el('td', { class: 'num', 'data-term': 'orders_per_s' }),
    end: el('td', { class: 'num', 'data-term': 'sold_out_in_s' }), holds: el('td', { 'data-term': 'conserved' }),
    bar: el('span', { class: 'bar-fill' }) };
  parts.button = el('button', { type: 'button', class: 'small', 'data-action': 'stock', click: () => add(parts.row) },
    t('action.stock'), el('span', { class: 'unseen' }, ` ${row.sku}`));
  for (const column of columns) parts.terms[column] = el('td', { class: 'num', 'data-term': column });
  const node = el('tr', { 'data-sku': row.sku },
    el('th', { scope: 'row' }, el('span', { class: 'mono' }, row.sku), ' ', parts.name,
      el('span', { class: 'bar thin', 'aria-hidden': 'true' }, parts.bar)),
    columns.map((column) => parts.terms[column]), parts.speed, parts.end, parts.holds, el('td', {}, parts.button));
  node.parts = parts;
  return node;
}

function writeRow({ parts }, row) {
  parts.row = row;
  write(parts.name, row.name);
  for (const column of columns) {
    write(parts.terms[column], count(valueOf(row, column)));
    set(parts.terms[column], 'data-value', valueOf(row, column) ?? '');
  }
  set(parts.terms.sold, 'title', percent(soldOf(row), row.loaded));
  parts.bar.style.width = `${row.loaded > 0 ? Math.min(100, (100 * soldOf(row)) / row.loaded) : 0}%`;
  write(parts.speed, rate(row.orders_per_s));
  write(parts.end, row.loaded > 0 && row.available === 0 ? t('skus.sold_out')
    : row.sold_out_in_s === null || row.sold_out_in_s === undefined ? '–' : duration(row.sold_out_in_s));
  const books = booksOf(row);
  write(parts.holds, { holds: '✓', breaks: '✗', unknown: '?' }[books]);
  set(parts.holds, 'class', { holds: 'good', breaks: 'bad', unknown: 'quiet' }[books]);
  set(parts.holds, 'aria-label', t(`term.${books}`));
  set(parts.button, 'disabled', row.against !== '');
  set(parts.button, 'title', row.against || false);
}
