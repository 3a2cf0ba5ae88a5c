// Reads bodies as Node applications do. One question a line, one answer a line: see peers.rs.
'use strict';

const qs = require('qs');
const querystring = require('node:querystring');
const readline = require('node:readline');

const base64 = (text) => Buffer.from(text).toString('base64');

function part(value) {
  if (value === undefined || value === null) return null;
  if (typeof value === 'string') return base64(value);
  if (Number.isSafeInteger(value)) return base64(String(value));
  let shown;
  try {
    shown = JSON.stringify(value);
  } catch {
    shown = '?';
  }
  return { other: String(shown).slice(0, 80) };
}

const isObject = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);
const member = (document, path) =>
  path.split('/').reduce((value, name) => (isObject(value) ? value[name] : undefined), document);

function attempt(names, read, look) {
  try {
    const document = read();
    return isObject(document) ? names.map((name) => part(look(document, name))) : null;
  } catch {
    return null;
  }
}

function answer(kind, body, names) {
  const text = body.toString('utf8');
  if (kind === 'json') {
    return { 'JSON.parse': attempt(names, () => JSON.parse(text), member) };
  }
  const all = (form, name) => {
    const values = form.getAll(name);
    return values.length > 1 ? values : values[0];
  };
  return {
    qs: attempt(names, () => qs.parse(text), member),
    querystring: attempt(names, () => querystring.parse(text), member),
    URLSearchParams: attempt(names, () => new URLSearchParams(text), all),
  };
}

const say = (value) => process.stdout.write(JSON.stringify(value) + '\n');
say(`Node ${process.versions.node}, qs ${require('qs/package.json').version}`);
readline.createInterface({ input: process.stdin }).on('line', (line) => {
  const [kind, body, ...names] = line.split(' ');
  say(answer(kind, Buffer.from(body.slice(1), 'base64'), names));
});
