// The rules of all gateways: edited as JSON, compared before they apply, and never over somebody else's change.

import { el, put, write } from './dom.js';
import { t } from './language.js';
import { ask, Problem } from './api.js';
import { announce, openDialog } from './dialog.js';
import { diffNode } from './diff.js';
import { may } from './roles.js';

const path = '/admin/v1/rules';

// pretty writes rules without their version, which the operator does not edit.
const pretty = ({ version, ...rules }) => JSON.stringify(rules, null, 2);

// rulesPage shows the rules in force in an editor.
export function rulesPage(frame) {
  frame.title(t('nav.rules'));
  const version = el('p', { class: 'quiet', id: 'rules-version' });
  const editor = el('textarea', { id: 'rules-editor', rows: 28, spellcheck: 'false', autocomplete: 'off',
    'aria-describedby': 'rules-version rules-why' });
  const faults = el('div', { role: 'alert' });
  const others = el('div', { role: 'status' });
  const apply = el('button', { type: 'submit', class: 'primary', 'data-action': 'rules' }, t('action.rules'));
  const undo = el('button', { type: 'button', click: () => { put(faults); read(); } }, t('rules.undo'));
  const allowed = may(frame.session.role, 'operator');
  const why = el('span', { class: 'why', id: 'rules-why' }, allowed ? '' : t('why.role', { role: t('role.operator') }));
  let base = null; // the rules that the edit began from

  apply.disabled = true;
  editor.readOnly = !allowed;
  editor.addEventListener('input', () => { apply.disabled = !allowed || !base || editor.value === pretty(base); });

  function show(rules) {
    base = rules;
    editor.value = pretty(rules);
    apply.disabled = true;
    put(version, t('rules.version', { version: rules.version }));
  }

  async function read() {
    try {
      show(await ask('GET', path));
      put(others);
    } catch (fault) {
      fail(fault);
    }
  }

  function fail(fault) {
    if (!(fault instanceof Problem)) throw fault;
    put(faults, el('div', { class: 'notice bad' }, fault.lines().map((line) => el('p', {}, line))));
  }

  // edited returns the rules of the editor, null when they are no JSON object, which it says.
  function edited() {
    put(faults);
    try {
      const rules = JSON.parse(editor.value);
      if (rules === null || typeof rules !== 'object' || Array.isArray(rules)) throw new SyntaxError(t('rules.object'));
      return rules;
    } catch (fault) {
      put(faults, el('p', { class: 'notice bad' }, t('rules.invalid', { fault: fault.message })));
      editor.focus();
      return null;
    }
  }

  // behind takes over what somebody else has applied meanwhile as the new base, and shows it; the edit stays in the editor.
  function behind(present) {
    put(others, el('div', { class: 'notice warn' },
      el('p', {}, el('b', {}, t('rules.conflict', { was: base.version, version: present.version }))),
      diffNode(pretty(base), pretty(present), t('rules.theirs'))));
    base = present;
    put(version, t('rules.version', { version: present.version }));
  }

  async function compare(event) {
    event.preventDefault();
    const rules = edited();
    if (!rules || apply.disabled) return;
    try {
      const present = await ask('GET', path);
      if (present.version !== base.version) behind(present);
    } catch (fault) {
      fail(fault);
      return;
    }
    confirmRules(rules);
  }

  function confirmRules(rules) {
    const comparison = el('div');
    const words = el('p');
    const redraw = () => {
      write(words, t('confirm.rules', { version: base.version }));
      put(comparison, diffNode(pretty(base), JSON.stringify(rules, null, 2), t('rules.yours')));
    };
    redraw();
    openDialog({
      title: t('confirm.rules.title'), confirmLabel: t('action.rules'),
      content: [words,
        ...[...others.children].map((node) => node.cloneNode(true)),
        comparison],
      confirm: async (handle) => {
        try {
          const stored = await ask('PUT', path, { body: { ...rules, version: base.version } });
          show(stored);
          put(others);
          announce(t('done.rules', { version: stored.version }));
          return true;
        } catch (fault) {
          if (fault.code !== 'version_conflict') throw fault;
          behind(await ask('GET', path));
          handle.say(...[...others.children].map((node) => node.cloneNode(true)), el('p', {}, t('confirm.again')));
          redraw();
          return false;
        }
      },
    });
  }

  put(frame.main, el('div', { class: 'head' }, el('h1', {}, t('nav.rules'))), el('p', { class: 'quiet lead' }, t('rules.lead')),
    el('form', { class: 'rules', novalidate: true, submit: compare }, version, others, faults,
      el('label', { for: 'rules-editor' }, t('rules.editor')), editor,
      el('div', { class: 'rules-buttons' }, apply, undo, why)));
  read();
}
