// Requests to the API of this origin. The session is a cookie that scripts cannot read; writes carry the session's CSRF token.

import { has, t } from './language.js';

let csrf = '';
let signedOut = () => {};

// Problem is an answer that refuses: its problem document, or what the browser said where no answer came.
export class Problem extends Error {
  constructor(status, document = {}) {
    super(document.detail || document.title || `HTTP ${status}`);
    this.status = status;
    this.code = document.code || (status === 0 ? 'no_answer' : '');
    this.document = document;
  }

  // lines are the sentences to show: what happened, the detail of the engine, and each fault of a body.
  lines() {
    const key = `problem.${this.code}`;
    const first = has(key) ? t(key, this.document) : this.document.title || t('problem.other', { status: this.status });
    const faults = (this.document.errors || []).map((fault) => `${fault.field}: ${fault.detail}`);
    return [...new Set([first, ...(faults.length ? faults : [this.document.detail || ''])])].filter(Boolean);
  }
}

// useSession sets the CSRF token of the session, and what is called when the session turns out to have ended.
export function useSession(token, whenSignedOut = signedOut) {
  csrf = token;
  signedOut = whenSignedOut;
}

// headersOf returns the headers of a request; only one that changes something carries the CSRF token.
function headersOf(method, extra, body) {
  const headers = { Accept: 'application/json', ...extra };
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  if (method !== 'GET' && csrf) headers['X-CSRF-Token'] = csrf;
  return headers;
}

// send makes one request and returns the answer; a refusal is a Problem. quiet leaves a 401 to the caller.
export async function send(method, path, { body, headers, signal, quiet = false } = {}) {
  let answer;
  try {
    answer = await fetch(path, {
      method, signal, headers: headersOf(method, headers, body), cache: 'no-store',
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch (fault) {
    if (fault.name === 'AbortError') throw fault;
    throw new Problem(0, { detail: String(fault.message) });
  }
  if (answer.ok) return answer;
  const document = await answer.json().catch(() => ({}));
  if (answer.status === 401 && !quiet) signedOut();
  throw new Problem(answer.status, document);
}

// ask makes one request and returns the JSON of its answer, null where it has none.
export async function ask(method, path, options) {
  const answer = await send(method, path, options);
  return answer.status === 204 ? null : answer.json();
}

// events makes one request and calls heard(event, data) for each Server-Sent Event of the answer, until it ends. A plain JSON
// answer is told as the event "answer".
export async function events(method, path, heard, options = {}) {
  const answer = await send(method, path, { ...options, headers: { Accept: 'text/event-stream' } });
  if (!(answer.headers.get('Content-Type') || '').startsWith('text/event-stream')) {
    heard('answer', await answer.json());
    return;
  }
  let text = '';
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const parts = (text + value.replaceAll('\r\n', '\n')).split('\n\n');
    text = parts.pop();
    for (const part of parts) tell(part, heard);
  }
}

function tell(part, heard) {
  let event = 'message';
  let data = '';
  for (const line of part.split('\n')) {
    if (line.startsWith('event:')) event = line.slice(6).trim();
    if (line.startsWith('data:')) data += line.slice(5).trim();
  }
  if (data) heard(event, JSON.parse(data));
}

// saleURL is the path of a sale in the operators' API.
export const saleURL = (id, rest = '') => `/admin/v1/sales/${encodeURIComponent(id)}${rest}`;

// query writes the members that have a value.
export function query(members) {
  const given = Object.entries(members).filter(([, value]) => value !== '' && value !== null && value !== undefined);
  return given.length ? `?${new URLSearchParams(given)}` : '';
}
