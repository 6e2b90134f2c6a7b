// The charts of a sale: what buyers ask and get, how long it takes, and what lies behind.

import { el } from './dom.js';
import { has, t } from './language.js';
import { count, duration, millis, rate } from './format.js';
import { newChart } from './chart.js';

// Reasons of refusals keep their colours, so that one is recognised again when others come and go.
const colours = { sold_out: 'c1', rate_limited: 'c2', already_bought: 'c3', not_started: 'c4', paused: 'c5', fenced: 'c5',
  overloaded: 'c6', unavailable: 'c7', over_limit: 'c3' };
const busiest = 5;

// outcomeName says why a press was refused.
export const outcomeName = (code) => (has(`outcome.${code}`) ? t(`outcome.${code}`) : code.replaceAll('_', ' '));

// newCharts returns the panel of charts and its draw(samples).
export function newCharts() {
  const flow = newChart(t('chart.flow'));
  const refused = newChart(t('chart.refused'), { stacked: true });
  const latency = newChart(t('chart.latency'));
  const lag = newChart(t('chart.lag'));
  const held = newChart(t('chart.held'));
  const events = newChart(t('chart.events'));
  const all = [flow, refused, latency, lag, held, events];
  const node = el('section', { class: 'charts', 'aria-labelledby': 'charts-title' },
    el('h2', { class: 'unseen', id: 'charts-title' }, t('chart.title')), all.map((chart) => chart.node));

  function draw(samples) {
    const one = (key, label, kind, format) => ({ key, label, kind, format, values: samples.values(key) });
    flow.draw([one('presses', t('chart.presses'), 'c2', rate), one('orders', t('chart.orders'), 'c1', rate)], samples.time);
    refused.draw(samples.refusals(busiest).map(({ reason, values }) => ({
      key: reason, label: reason === 'other' ? t('chart.other') : outcomeName(reason), kind: colours[reason] || 'c8',
      format: rate, values,
    })), samples.time);
    latency.draw([one('p99_ms', 'p99', 'c3', millis), one('p50_ms', 'p50', 'c1', millis)], samples.time);
    lag.draw([one('settle_lag_records', t('chart.records'), 'c2', count)], samples.time);
    held.draw([one('oldest_held_s', t('chart.age'), 'c3', duration)], samples.time);
    events.draw([one('events_waiting', t('chart.waiting'), 'c4', count)], samples.time);
  }

  return { node, draw };
}
