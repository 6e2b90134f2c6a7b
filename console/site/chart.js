// A chart over time, in SVG. Its legend has the latest values, or those under the pointer; the arrow keys move that point too.

import { el, list, put, set, svg, write } from './dom.js';
import { t } from './language.js';
import { clock, compact } from './format.js';

const width = 600;
const height = 120;
const steps = 180; // of the whole width: 15 minutes of 5 s

// niceTop returns the least of 1, 2, 2.5, 5 times a power of ten that is not below value.
export function niceTop(value) {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 2.5, 5, 10].map((n) => n * power).find((top) => top >= value * 0.999);
}

// newChart returns a figure and its draw(lines, timeOf): lines are {key, label, kind, values, format}, the oldest value first,
// null where unknown. kind is the class of the colour. With stacked each line stands on those before it.
export function newChart(title, { stacked = false } = {}) {
  const paths = svg('g');
  const cursor = svg('line', { class: 'cursor', y1: 0, y2: height, x1: 0, x2: 0, visibility: 'hidden' });
  const plot = svg('svg', {
    viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: 'none', role: 'img', tabindex: '0', class: 'plot',
    pointermove: (event) => point((event.offsetX / plot.clientWidth) * width), pointerleave: () => point(null),
    blur: () => point(null), keydown: press,
  }, [0.25, 0.5, 0.75].map((part) => svg('line', { class: 'grid', x1: 0, x2: width, y1: height * part, y2: height * part })),
  paths, cursor);
  const legend = el('ul', { class: 'legend' });
  const top = el('span');
  const middle = el('span');
  const when = el('span', { class: 'quiet when' });
  const node = el('figure', { class: 'chart' },
    el('figcaption', {}, el('h3', { class: 'chart-title' }, title), when), legend,
    el('div', { class: 'plot-box' },
      el('div', { class: 'y-axis quiet', 'aria-hidden': 'true' }, top, middle, el('span', {}, '0')),
      plot),
    el('div', { class: 'x-axis quiet', 'aria-hidden': 'true' }, [15, 10, 5].map((minutes) =>
      el('span', {}, t('chart.ago', { minutes }))), el('span', {}, t('chart.now'))));
  let lines = [];
  let length = 0;
  let timeOf = () => 0;
  let at = null; // the step under the cursor

  const drawLegend = list(legend, (line) => line.key, (line) => {
    const parts = { swatch: el('span', { class: 'swatch' }), label: el('span', { class: 'quiet' }), value: el('b') };
    const row = el('li', { 'data-series': line.key }, parts.swatch, parts.label, parts.value);
    row.parts = parts;
    return row;
  }, ({ parts }, line) => {
    set(parts.swatch, 'class', `swatch ${line.kind}`);
    write(parts.label, line.label);
    write(parts.value, line.format(line.values[at ?? length - 1]));
  });

  const x = (step) => ((step + steps - length) / (steps - 1)) * width;

  function point(wanted) {
    at = wanted === null || length === 0 ? null
      : Math.max(0, Math.min(length - 1, Math.round((wanted / width) * (steps - 1)) - (steps - length)));
    write(when, at === null ? '' : clock(timeOf(at)));
    set(cursor, 'visibility', at === null ? 'hidden' : 'visible');
    if (at !== null) { set(cursor, 'x1', x(at)); set(cursor, 'x2', x(at)); }
    drawLegend(lines);
  }

  function press(event) {
    const move = { ArrowLeft: -1, ArrowRight: 1, Home: -length, End: length }[event.key];
    if (!move || length === 0) return;
    event.preventDefault();
    point(x(Math.max(0, Math.min(length - 1, (at ?? length) + move))));
  }

  function draw(newLines, newTimeOf) {
    [lines, timeOf] = [newLines, newTimeOf];
    length = Math.min(steps, Math.max(0, ...lines.map((line) => line.values.length)));
    const layers = stacked ? pile(lines, length) : lines.map(({ values }) => ({ upper: values, lower: null }));
    const highest = niceTop(Math.max(0, ...layers.flatMap(({ upper }) => upper.filter((value) => value !== null))));
    const y = (value) => (height - (value / highest) * (height - 2) - 1).toFixed(1);
    put(paths, layers.map(({ upper, lower }, i) => [
      svg('path', { class: `area ${lines[i].kind}${stacked ? ' stacked' : ''}`, d: area(upper, lower, x, y) }),
      svg('path', { class: `line ${lines[i].kind}`, d: line(upper, x, y) })]));
    write(top, compact(highest));
    write(middle, compact(highest / 2));
    if (at !== null) point(x(Math.min(at, length - 1)));
    else drawLegend(lines);
    set(plot, 'aria-label', describe());
  }

  // describe says in words what the chart shows: of each line the latest, the least and the greatest value.
  function describe() {
    const sentences = lines.map(({ label, values, format }) => {
      const known = values.filter((value) => value !== null && value !== undefined);
      if (!known.length) return t('chart.unknown', { label });
      return t('chart.words', { label, now: format(values[length - 1]), least: format(Math.min(...known)),
        greatest: format(Math.max(...known)) });
    });
    return `${title}. ${sentences.length ? sentences.join(' ') : t('chart.nothing')}`;
  }

  return { node, draw };
}

// pile returns for each line its lower and upper edge when it stands on the lines before it.
function pile(lines, length) {
  let lower = Array(length).fill(0);
  const unknown = lower.map((unused, at) => lines.every(({ values }) => values[at] === null || values[at] === undefined));
  return lines.map(({ values }) => {
    const upper = lower.map((below, at) => (unknown[at] ? null : below + (values[at] || 0)));
    const layer = { lower, upper };
    lower = upper;
    return layer;
  });
}

// line returns the path through the known values, with a gap where one is unknown.
function line(values, x, y) {
  let open = false;
  return values.map((value, at) => {
    if (value === null || value === undefined) { open = false; return ''; }
    const word = `${open ? 'L' : 'M'}${x(at).toFixed(1)} ${y(value)}`;
    open = true;
    return word;
  }).join('');
}

// area returns the outline between the values and the lower edge, the axis where there is none, for each run of known values.
function area(upper, lower, x, y) {
  let path = '';
  let run = [];
  const finish = () => {
    if (run.length > 1) {
      path += `M${run.map((at) => `${x(at).toFixed(1)} ${y(upper[at])}`).join('L')}`;
      path += `L${run.reverse().map((at) => `${x(at).toFixed(1)} ${y(lower ? lower[at] : 0)}`).join('L')}Z`;
    }
    run = [];
  };
  upper.forEach((value, at) => (value === null || value === undefined ? finish() : run.push(at)));
  finish();
  return path;
}
