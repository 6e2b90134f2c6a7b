// The last 15 minutes of a sale's rates, in steps: what the stream told at its start, and each live answer since.

const kept = 900; // seconds

// gauges are levels: of several readings in a step the last one counts; of rates, their mean.
const gauges = ['settle_lag_records', 'oldest_held_s', 'events_waiting'];
const rates = ['presses', 'orders', 'p50_ms', 'p99_ms'];

// newSamples returns an empty record: add takes live answers, restart the history of a stream.
export function newSamples() {
  let step = 5;
  let from = null; // ms, start of the first step
  let readings = 0; // in the last step
  let series = { refused: {} };
  let length = 0;

  function restart(history) {
    step = history.step_s || 5;
    from = Date.parse(history.from);
    series = { refused: {} };
    length = 0;
    for (const key of [...rates, ...gauges]) {
      series[key] = [...(history[key] || [])];
      length = Math.max(length, series[key].length);
    }
    for (const [reason, values] of Object.entries(history.refused || {})) {
      series.refused[reason] = [...values];
      length = Math.max(length, values.length);
    }
    readings = 0;
    shorten();
  }

  // grow makes the step of a time the last one; steps of which nothing is known stay empty.
  function grow(at) {
    if (from === null) from = Math.floor(at / 1000 / step) * step * 1000;
    const wanted = Math.floor((at - from) / 1000 / step) + 1;
    if (wanted > length + kept / step) { // after a long sleep of the page nothing that is known is young enough
      from = at - (at % (step * 1000));
      series = { refused: {} };
      length = 1;
      readings = 0;
    } else if (wanted > length) {
      length = wanted;
      readings = 0;
    }
    shorten();
  }

  function shorten() {
    const over = length - kept / step;
    if (over <= 0) return;
    for (const key of [...rates, ...gauges]) series[key]?.splice(0, over);
    for (const values of Object.values(series.refused)) values.splice(0, over);
    from += over * step * 1000;
    length -= over;
  }

  function note(values, value, level) {
    if (value === null || value === undefined) return;
    const last = length - 1;
    while (values.length < last) values.push(null);
    const before = values[last];
    values[last] = level || readings === 0 || before === null || before === undefined
      ? value : before + (value - before) / (readings + 1);
  }

  function add(live) {
    const told = live.rates || {};
    grow(Date.parse(live.at));
    note(series.presses ??= [], told.presses_per_s);
    note(series.orders ??= [], told.orders_per_s);
    for (const key of ['p50_ms', 'p99_ms']) note(series[key] ??= [], told[key]);
    for (const key of gauges) note(series[key] ??= [], told[key], true);
    const refused = told.refused_per_s;
    for (const reason of refused ? new Set([...Object.keys(refused), ...Object.keys(series.refused)]) : []) {
      note(series.refused[reason] ??= [], refused[reason] ?? 0);
    }
    readings += 1;
  }

  const padded = (values) => Array.from({ length }, (unused, at) => values?.[at] ?? null);

  return {
    restart,
    add,
    get length() { return length; },
    time: (at) => from + at * step * 1000,
    values: (key) => padded(series[key]),
    // refusals returns the busiest reasons with their values, the busiest first, and the rest as other.
    refusals(most) {
      const sum = (values) => values.reduce((total, value) => total + (value || 0), 0);
      const all = Object.entries(series.refused).map(([reason, values]) => ({ reason, values: padded(values) }))
        .filter(({ values }) => sum(values) > 0).sort((a, b) => sum(b.values) - sum(a.values));
      const rest = all.slice(most);
      if (rest.length) {
        all.splice(most, rest.length, { reason: 'other', values: padded([]).map((unused, at) =>
          rest.reduce((total, { values }) => total + (values[at] || 0), 0)) });
      }
      return all;
    },
  };
}
