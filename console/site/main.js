// Starts the console: session, frame, and the page that the address names.

import { el, put, set, write } from './dom.js';
import { has, preferred, speak, t } from './language.js';
import { current, signInPage, signOut } from './session.js';
import { useSession } from './api.js';
import { languageSwitch, themeSwitch } from './switches.js';
import { announce } from './dialog.js';
import { duration } from './format.js';
import { may } from './roles.js';
import { salesPage } from './sales.js';
import { livePage } from './live.js';
import { ordersPage } from './orders.js';
import { rulesPage } from './rules.js';
import { lettersPage } from './deadletters.js';
import { trailPage } from './trail.js';

const root = document.getElementById('app');

// pages by the first element of the fragment. least is the role that reads the page.
const pages = [
  { name: '', label: 'nav.sales', least: 'viewer', show: (frame, rest) => salesPage(frame, rest) },
  { name: 'orders', label: 'nav.orders', least: 'shop', show: ordersPage },
  { name: 'rules', label: 'nav.rules', least: 'viewer', show: rulesPage },
  { name: 'deadletters', label: 'nav.deadletters', least: 'viewer', show: lettersPage },
  { name: 'trail', label: 'nav.trail', least: 'viewer', show: trailPage },
  { name: 'sales', show: livePage, least: 'viewer', under: '' },
];

let session = null;
let leave = () => {}; // ends what the present page has open

// place reads the fragment: #/sales/ID?q=phone is {page: 'sales', rest: 'ID', members}.
function place() {
  const [path, search = ''] = location.hash.replace(/^#\/?/, '').split('?');
  const [page = '', ...rest] = path.split('/');
  return { page, rest: rest.map(decodeURIComponent).join('/'), members: new URLSearchParams(search) };
}

function signedOut(why) {
  leave();
  leave = () => {};
  session = null;
  useSession('');
  show();
  if (why) announce(t(why), 'warn');
}

// show draws everything anew: after signing in or out, and in another language.
function show() {
  leave();
  leave = () => {};
  document.title = 'flashsale';
  if (!session) {
    put(root, signInPage((made) => { session = made; begin(); show(); }, show));
    root.querySelector('input')?.focus();
    return;
  }
  const main = el('main', { id: 'main', tabindex: '-1' });
  const pill = el('span', { class: 'pill', hidden: true });
  put(root, el('a', { class: 'skip', href: '#main', click: (event) => { event.preventDefault(); main.focus(); } }, t('skip')),
    header(pill), main);
  showPage(main, pill);
}

function header(pill) {
  return el('header', { class: 'top' },
    el('a', { class: 'brand', href: '#/' }, el('img', { src: '/console/icon.svg', alt: '', width: 22, height: 22 }), 'flashsale'),
    el('nav', { 'aria-label': t('nav.label') }, el('ul', { class: 'nav' }, pages.filter((page) => page.label).map((page) =>
      el('li', {}, may(session.role, page.least)
        ? el('a', { href: `#/${page.name}`, 'data-page': page.name }, t(page.label)) : null)))),
    el('div', { class: 'top-end' }, pill,
      el('span', { class: 'who', title: t('session.who', session) }, el('b', {}, session.name), ' ', roleName(session.role)),
      themeSwitch(), languageSwitch(show),
      el('button', { type: 'button', class: 'plain small', 'data-action': 'sign-out', click: async () => {
        try {
          await signOut();
          signedOut();
        } catch (fault) {
          announce(fault.message, 'bad');
        }
      } }, t('session.out'))));
}

const roleName = (role) => (has(`role.${role}`) ? t(`role.${role}`) : role);

// showPage draws the page of the address into main, and ends the one before.
function showPage(main, pill) {
  leave();
  pill.hidden = true;
  const { page, rest, members } = place();
  const found = pages.find((one) => one.name === page) || pages[0];
  for (const link of document.querySelectorAll('[data-page]')) {
    set(link, 'aria-current', link.dataset.page === (found.under ?? found.name) ? 'page' : false);
  }
  put(main);
  if (!may(session.role, found.least)) {
    if (session.role === 'shop' && page === '') { location.replace('#/orders'); return; }
    put(main, el('p', { class: 'notice warn' }, t('why.role', { role: roleName(found.least) })));
    return;
  }
  leave = found.show({
    main, members, session,
    title: (text) => { document.title = text ? `${text} · flashsale` : 'flashsale'; },
    connection: (state) => connection(pill, state),
  }, rest) || (() => {});
}

// connection shows whether the numbers of the page are live, or how old they are.
function connection(pill, { connected, age }) {
  pill.hidden = false;
  const [kind, text] = connected ? ['good', t('connection.live')]
    : age === null ? ['', t('connection.opening')] : ['bad', t('connection.lost', { age: duration(age / 1000) })];
  set(pill, 'class', `pill badge ${kind}`);
  set(pill, 'data-connection', connected ? 'live' : age === null ? 'opening' : 'lost');
  document.body.classList.toggle('stale', !connected && age !== null);
  write(pill, text);
}

function begin() { useSession(session.csrf, () => signedOut('session.ended')); }

window.addEventListener('hashchange', () => {
  const main = document.getElementById('main');
  if (!session || !main) return;
  document.querySelector('dialog[open]')?.close();
  showPage(main, document.querySelector('.pill'));
  window.scrollTo(0, 0);
  main.focus({ preventScroll: true });
});

await speak(preferred());
session = await current();
if (session) begin();
show();
