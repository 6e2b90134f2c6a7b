// What differs between two texts, line by line.

import { el } from './dom.js';
import { t } from './language.js';

// diffLines returns [{kind: 'same' | 'gone' | 'new', text}] by the longest common subsequence of the lines.
export function diffLines(before, after) {
  const a = before.split('\n');
  const b = after.split('\n');
  const common = Array.from({ length: a.length + 1 }, () => new Uint32Array(b.length + 1));
  for (let i = a.length - 1; i >= 0; i -= 1) {
    for (let j = b.length - 1; j >= 0; j -= 1) {
      common[i][j] = a[i] === b[j] ? common[i + 1][j + 1] + 1 : Math.max(common[i + 1][j], common[i][j + 1]);
    }
  }
  const lines = [];
  let i = 0;
  let j = 0;
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) { lines.push({ kind: 'same', text: a[i] }); i += 1; j += 1; }
    else if (j >= b.length || (i < a.length && common[i + 1][j] >= common[i][j + 1])) {
      lines.push({ kind: 'gone', text: a[i] }); i += 1; }
    else { lines.push({ kind: 'new', text: b[j] }); j += 1; }
  }
  return lines;
}

// diffNode shows two texts as one, with signs beside the lines that differ, so that colour is not needed to read it.
export function diffNode(before, after, label) {
  const signs = { same: ' ', gone: '−', new: '+' };
  const lines = diffLines(before, after);
  if (lines.every((line) => line.kind === 'same')) return el('p', { class: 'quiet' }, t('diff.same'));
  return el('pre', { class: 'diff', role: 'group', tabindex: '0', 'aria-label': label }, lines.map(({ kind, text }) =>
    el('span', { class: `diff-line ${kind}` }, el('span', { class: 'sign' }, `${signs[kind]} `),
      kind === 'same' ? null : el('span', { class: 'unseen' }, t(`diff.${kind}`)), text, '\n')));
}
