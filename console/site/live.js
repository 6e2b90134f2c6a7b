// The live screen of one sale.

import { el, put, set, write } from './dom.js';
import { t } from './language.js';
import { absent, clock, count, duration, millis, percent, rate } from './format.js';
import { query, saleURL } from './api.js';
import { follow } from './stream.js';
import { newCharts } from './charts.js';
import { newSamples } from './samples.js';
import { booksOf, newTable, soldOf, valueOf } from './skus.js';
import { against, dangerous, verbs } from './actions.js';
import { confirmMove, confirmStock } from './confirm.js';
import { announce } from './dialog.js';
import { auditPanel } from './audit.js';
import { liveTrail, whatWasDone } from './trail.js';
import { machines } from './machines.js';
import { stateBadge, windowText } from './sales.js';

const terms = ['loaded', 'available', 'in_flight', 'settled', 'released', 'sold', 'paid', 'unpaid'];
const segments = ['paid', 'unpaid', 'in_flight', 'available'];

// livePage shows a sale's numbers as they change, its charts, machines, trail and audit, and what can be done to it.
export function livePage(frame, id) {
  frame.title(id);
  const view = viewOf(frame.members);
  const samples = newSamples();
  const charts = newCharts();
  const head = headOf(id);
  const bar = actionBar((verb) => confirmMove(verb, seen, frame.session.role, () => {}));
  const table = newTable(view, () => { keepView(id, view); again(); },
    (verb, row) => confirmStock(seen, row, frame.session.role, () => {}));
  const trail = liveTrail();
  const plant = machines();
  const fault = el('div', { role: 'alert' });
  let seen = null;
  let seenAt = 0; // when the last answer came, by performance.now
  let end = () => {};
  let answers = 0; // since the stream was opened

  put(frame.main, head.node, bar.node, fault, head.notices, head.totals, table.node, charts.node,
    el('div', { class: 'columns' }, trail.node, el('div', { class: 'stack' }, auditPanel(id), plant.node)));

  function show(live) {
    [seen, seenAt] = [live, performance.now()];
    answers += 1;
    samples.add(live);
    head.update(live);
    bar.update(live, frame.session.role);
    table.allow(against('stock', live.sale, frame.session.role));
    table.update(live.items);
    plant.update(live.processes || [], live.stores || []);
    charts.draw(samples);
    frame.title(live.sale.name || id);
    put(fault);
  }

  function again() {
    end();
    answers = 0;
    end = follow(saleURL(id, `/live${query(view)}`), {
      history: (event) => { samples.restart(event); },
      live: show,
      trail: (entry) => {
        const fresh = trail.add(entry);
        // The stream begins with what was done before; that is no news.
        if (fresh && answers > 1 && entry.who !== frame.session.name) announce(whatWasDone(entry), 'warn');
      },
      problem: (problem) => put(fault, el('p', { class: 'notice bad' },
        `${t('live.unread')} ${problem.detail || problem.title}`)),
    }, frame.connection);
  }

  const ticking = setInterval(() => { if (seen) head.tick(seen, performance.now() - seenAt); }, 250);
  again();
  return () => { clearInterval(ticking); end(); };
}

const viewOf = (members) => ({
  q: members.get('q') || '', sort: members.get('sort') || 'sku', from: Number(members.get('from')) || 0,
  limit: Number(members.get('limit')) || 20,
});

// keepView writes what part of the SKUs is shown into the address, so that a reload shows the same.
function keepView(id, view) {
  const members = { q: view.q, sort: view.sort === 'sku' ? '' : view.sort, from: view.from || '',
    limit: view.limit === 20 ? '' : view.limit };
  history.replaceState(null, '', `#/sales/${encodeURIComponent(id)}${query(members)}`);
}

// headOf is the top of the screen: name, state, clock, countdown, notices and totals.
function headOf(id) {
  const name = el('h1', {}, id);
  const state = el('span');
  const ended = el('span', { class: 'badge', hidden: true });
  const frozen = el('span', { class: 'badge warn', hidden: true });
  const books = el('span', { 'data-term': 'conserved' });
  const remaining = el('p', { class: 'remaining', 'data-countdown': '' });
  const now = el('time', { class: 'mono' });
  const status = el('p', { class: 'unseen', role: 'status', 'aria-live': 'polite' });
  const notices = el('div', { class: 'notices' });
  const totals = totalsOf();
  let lastSaid = '';

  function update(live) {
    const { sale } = live;
    write(name, sale.name || sale.id);
    stateBadge(state, sale.state);
    set(state, 'data-state', sale.state);
    ended.hidden = !(sale.state === 'open' && live.phase !== 'open');
    if (!ended.hidden) stateBadge(ended, live.phase);
    frozen.hidden = !sale.holds_frozen_since;
    write(frozen, t('state.frozen_since', { since: clock(sale.holds_frozen_since) }));
    set(books, 'class', `badge ${{ holds: 'good', breaks: 'bad', unknown: '' }[booksOf(live.total)]}`);
    write(books, t(`term.${booksOf(live.total)}`));
    totals.update(live);
    put(notices, noticesOf(live));
    say(`${t(`state.${sale.state}`)}${sale.holds_frozen_since ? `, ${t('state.frozen')}` : ''}`);
    tick(live, 0);
  }

  // say tells a screen reader the state, only when it changes.
  function say(words) {
    if (words === lastSaid) return;
    if (lastSaid) write(status, words);
    lastSaid = words;
  }

  // tick moves the clock of Redis and the countdown on, by the time since the answer came.
  function tick(live, passed) {
    const at = Date.parse(live.at) + passed;
    write(now, clock(at));
    set(now, 'datetime', new Date(at).toISOString().slice(0, 19));
    write(remaining, windowText(live.sale, at));
  }

  return {
    node: el('div', { class: 'head live-head' },
      el('div', {}, el('p', { class: 'crumbs' }, el('a', { href: '#/' }, t('nav.sales')),
        ' / ', el('span', { class: 'mono' }, id)),
        el('div', { class: 'head-name' }, name, state, ended, frozen, books)),
      el('div', { class: 'head-end' }, remaining, el('p', { class: 'quiet' }, t('live.clock'), ' ', now)), status),
    notices, totals: totals.node, update, tick,
  };
}

function noticesOf(live) {
  const found = [];
  if (live.sale.reason) found.push(['warn', t('notice.reason', { reason: live.sale.reason })]);
  if (live.brake) {
    found.push(['warn', t('notice.brake', { reason: live.brake.reason, rate: count(live.brake.per_second),
      since: clock(live.brake.since) })]);
  }
  for (const store of live.stores || []) {
    if (!store.up) found.push(['bad', t('notice.store', { store: store.store, detail: store.detail || '' })]);
  }
  if (live.total.conserved === false) found.push(['bad', t('notice.books')]);
  return found.map(([kind, words]) => el('p', { class: `notice ${kind}` }, words));
}

// totalsOf is the strip of the sale's numbers, with a bar of where its units are.
function totalsOf() {
  const numbers = Object.fromEntries(terms.map((term) => [term, el('dd', { 'data-term': term })]));
  const share = el('span', { class: 'quiet' });
  const speed = el('dd', { 'data-term': 'orders_per_s' });
  const presses = el('dd', { 'data-rate': 'presses' });
  const refused = el('dd', { 'data-rate': 'refused' });
  const end = el('dd', { 'data-term': 'sold_out_in_s' });
  const p99 = el('dd', { 'data-rate': 'p99' });
  const parts = Object.fromEntries(segments.map((term) => [term, el('span', { class: `part ${term}` })]));
  const cell = (label, value, ...more) => el('div', { class: 'total' }, el('dt', {}, label), value, more);
  const node = el('section', { class: 'panel totals', 'aria-labelledby': 'totals-title' },
    el('h2', { class: 'unseen', id: 'totals-title' }, t('totals.title')),
    el('dl', { class: 'total-list' }, terms.map((term) =>
      cell(t(`term.${term}`), numbers[term], term === 'sold' ? el('dd', {}, share) : null)),
      cell(t('totals.presses'), presses), cell(t('term.orders_per_s'), speed), cell(t('totals.refused'), refused),
      cell('p99', p99), cell(t('term.sold_out_in'), end)),
    el('div', { class: 'stockbar', 'aria-hidden': 'true' }, segments.map((term) => parts[term])),
    el('ul', { class: 'legend keys', 'aria-hidden': 'true' }, segments.map((term) =>
      el('li', {}, el('span', { class: `swatch part ${term}` }), el('span', { class: 'quiet' }, t(`term.${term}`))))));

  function update({ total, rates = {} }) {
    for (const term of terms) {
      write(numbers[term], count(valueOf(total, term)));
      set(numbers[term], 'data-value', valueOf(total, term) ?? '');
    }
    write(share, percent(soldOf(total), total.loaded));
    write(speed, rate(total.orders_per_s));
    write(presses, rate(rates.presses_per_s));
    write(refused, rates.refused_per_s ? rate(Object.values(rates.refused_per_s).reduce((sum, n) => sum + n, 0)) : absent);
    write(p99, millis(rates.p99_ms));
    write(end, total.loaded > 0 && total.available === 0 ? t('skus.sold_out') : duration(total.sold_out_in_s));
    for (const term of segments) parts[term].style.flexGrow = String(Math.max(0, total[term] || 0));
  }

  return { node, update };
}

// actionBar is the row of buttons; below one that cannot be pressed stands why.
function actionBar(pressed) {
  const buttons = verbs.map((verb) => {
    const why = el('span', { class: 'why', id: `why-${verb}` });
    const button = el('button', {
      type: 'button', 'data-action': verb, disabled: true, 'aria-describedby': why.id, class: dangerous(verb) ? 'danger' : '',
      click: () => pressed(verb),
    }, t(`action.${verb}`));
    return { verb, why, button };
  });
  const all = el('p', { class: 'quiet', hidden: true });
  const node = el('section', { class: 'actions', 'aria-label': t('action.label') },
    buttons.map(({ button, why }) => el('div', { class: 'action' }, button, why)), all);

  function update(live, role) {
    const reasons = buttons.map(({ verb }) => against(verb, live.sale, role));
    const one = reasons[0] && reasons.every((reason) => reason === reasons[0]) ? reasons[0] : '';
    all.hidden = !one;
    write(all, one);
    buttons.forEach(({ button, why }, i) => {
      const lost = reasons[i] && document.activeElement === button;
      button.disabled = reasons[i] !== '';
      write(why, one ? '' : reasons[i]);
      if (lost) (buttons.find((other) => !other.button.disabled)?.button || document.getElementById('main')).focus();
    });
  }

  return { node, update };
}
