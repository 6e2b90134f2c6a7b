// Numbers, times and durations as people read them, in the language of the page.

import { language, t } from './language.js';

const cache = new Map();

function formatter(kind, options) {
  const key = language() + kind + JSON.stringify(options);
  if (!cache.has(key)) cache.set(key, new Intl[kind](language() === 'zh' ? 'zh-CN' : 'en-GB', options));
  return cache.get(key);
}

// Absent is what stands where a value is unknown.
export const absent = '–';

const known = (value) => value !== null && value !== undefined && Number.isFinite(Number(value));

// count writes whole units with separators of thousands.
export function count(value) {
  return known(value) ? formatter('NumberFormat', { maximumFractionDigits: 0 }).format(value) : absent;
}

// rate writes units a second: below ten with one decimal.
export function rate(value) {
  if (!known(value)) return absent;
  return formatter('NumberFormat', { maximumFractionDigits: value !== 0 && Math.abs(value) < 10 ? 1 : 0 }).format(value);
}

// compact writes a number for an axis, such as 12K.
export function compact(value) {
  if (!known(value)) return absent;
  return formatter('NumberFormat', { notation: 'compact', maximumSignificantDigits: 3 }).format(value);
}

// percent writes a share from 0 to 1. It shows neither 0 % of something nor 100 % of not everything.
export function percent(part, whole) {
  if (!known(part) || !known(whole) || whole <= 0) return absent;
  const share = part / whole;
  const shown = share > 0 && share < 0.001 ? 0.001 : share < 1 && share > 0.999 ? 0.999 : share;
  return formatter('NumberFormat', { style: 'percent', maximumFractionDigits: 1 }).format(shown);
}

// millis writes a latency of ms milliseconds, from a second on in seconds.
export function millis(ms) {
  if (!known(ms)) return absent;
  if (ms >= 1000) {
    return t('format.s', { n: formatter('NumberFormat', { maximumFractionDigits: ms < 10_000 ? 2 : 0 }).format(ms / 1000) });
  }
  const digits = ms < 10 ? 2 : ms < 100 ? 1 : 0;
  return formatter('NumberFormat', { maximumFractionDigits: digits }).format(ms) + ' ms';
}

// countdown writes ms milliseconds as 3 d 04:05:06.
export function countdown(ms) {
  if (!known(ms)) return absent;
  const seconds = Math.max(0, Math.ceil(ms / 1000));
  const two = (n) => String(n).padStart(2, '0');
  const days = Math.floor(seconds / 86400);
  const clock = `${two(Math.floor(seconds / 3600) % 24)}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
  return days > 0 ? t('format.days', { days: count(days), clock }) : clock;
}

// duration writes seconds in the largest two units: 4 s, 12 min 3 s, 2 h 5 min, 3 d 4 h.
export function duration(seconds) {
  if (!known(seconds)) return absent;
  const whole = Math.round(seconds);
  if (whole < 1 && seconds > 0) return t('format.subsecond');
  const parts = [[86400, 'format.d'], [3600, 'format.h'], [60, 'format.min'], [1, 'format.s']];
  const first = parts.findIndex(([size]) => whole >= size);
  if (first < 0) return t('format.s', { n: 0 });
  return parts.slice(first, first + 2)
    .map(([size, word], at) => [Math.floor((at === 0 ? whole : whole % parts[first][0]) / size), word])
    .filter(([n], at) => at === 0 || n > 0)
    .map(([n, word]) => t(word, { n: count(n) })).join(' ');
}

// moment writes a date with its time to the second, in the browser's time zone.
export function moment(at) {
  const date = new Date(at);
  if (!at || Number.isNaN(date.getTime())) return absent;
  return formatter('DateTimeFormat', { dateStyle: 'medium', timeStyle: 'medium' }).format(date);
}

// clock writes the time of the day to the second.
export function clock(at) {
  const date = new Date(at);
  if (!at || Number.isNaN(date.getTime())) return absent;
  return formatter('DateTimeFormat', { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' }).format(date);
}

// money writes cents in a currency.
export function money(cents, currency) {
  if (!known(cents)) return absent;
  try {
    return formatter('NumberFormat', { style: 'currency', currency: currency || 'CNY' }).format(cents / 100);
  } catch {
    return `${count(cents / 100)} ${currency}`;
  }
}
