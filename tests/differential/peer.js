// Reads bodies as Node applications do. One question a line, one answer a line: see peers.rs.
'use strict';

const { Readable } = require('node:stream');
const bodyParser = require('body-parser');
const busboy = require('busboy');
const fastify = require('fastify');
const { formidable } = require('formidable');
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
// A form without nesting: a field goes by the last name on its way.
const flat = (document, path) => document[path.split('/').pop()];
const either = (document, path) => member(document, path) ?? flat(document, path);
const several = (values) => (values.length > 1 ? values : values[0]);

async function attempt(names, read, look = member) {
  try {
    const document = await read();
    return isObject(document) ? names.map((name) => part(look(document, name))) : null;
  } catch {
    return null;
  }
}

function request(contentType, body) {
  const request = Readable.from([body]);
  request.headers = { 'content-length': String(body.length) };
  if (contentType !== '') request.headers['content-type'] = contentType;
  request.method = 'POST';
  request.url = '/login';
  return request;
}

const parsed = (parser, contentType, body) =>
  new Promise((resolve, reject) => {
    const made = request(contentType, body);
    parser(made, {}, (error) => (error ? reject(error) : resolve(made.body)));
  });

const ofBusboy = (contentType, body) =>
  new Promise((resolve, reject) => {
    const made = request(contentType, body);
    const fields = Object.create(null);
    const parser = busboy({ headers: made.headers });
    parser.on('field', (name, value) => (fields[name] ??= []).push(value));
    parser.on('file', (name, file) => file.resume());
    parser.on('error', reject);
    parser.on('close', () => resolve(fields));
    made.pipe(parser);
  });

const ofFormidable = async (contentType, body) => {
  const [fields] = await formidable({ allowEmptyFiles: true, minFileSize: 0 }).parse(request(contentType, body));
  return fields;
};

const server = fastify();
server.register(require('@fastify/formbody'));
server.post('/login', (request) => ({ body: request.body ?? null }));

const ofFastify = async (contentType, body) => {
  const headers = contentType === '' ? {} : { 'content-type': contentType };
  const answer = await server.inject({ method: 'POST', url: '/login', headers, payload: body });
  return answer.statusCode === 200 ? JSON.parse(answer.payload).body : null;
};

const all = () => true;
const parsers = {
  'Express json': bodyParser.json(),
  'Express json of any type': bodyParser.json({ type: all }),
  'Express urlencoded': bodyParser.urlencoded({ extended: true }),
  'Express urlencoded of any type': bodyParser.urlencoded({ extended: true, type: all }),
  'Express urlencoded, flat, of any type': bodyParser.urlencoded({ extended: false, type: all }),
};

const lists = (document, path) => several(flat(document, path) ?? []);

async function answer(contentType, body, names) {
  const text = body.toString('utf8');
  const form = (form, path) => several(form.getAll(path.split('/').pop()));
  const answers = {
    'JSON.parse': await attempt(names, () => JSON.parse(text)),
    qs: await attempt(names, () => qs.parse(text), either),
    'qs with dots': await attempt(names, () => qs.parse(text, { allowDots: true }), either),
    querystring: await attempt(names, () => querystring.parse(text), flat),
    URLSearchParams: await attempt(names, () => new URLSearchParams(text), form),
    busboy: await attempt(names, () => ofBusboy(contentType, body), lists),
    formidable: await attempt(names, () => ofFormidable(contentType, body), (document, path) => {
      const found = either(document, path);
      return Array.isArray(found) ? several(found) : found;
    }),
    Fastify: await attempt(names, () => ofFastify(contentType, body), either),
  };
  for (const [name, parser] of Object.entries(parsers)) {
    answers[name] = await attempt(names, () => parsed(parser, contentType, body), either);
  }
  return answers;
}

const say = (value) => process.stdout.write(JSON.stringify(value) + '\n');
const version = (name) => `${name} ${require(`${name}/package.json`).version}`;
async function main() {
  await server.ready();
  const names = ['qs', 'body-parser', 'fastify', 'busboy'].map(version);
  say([`Node ${process.versions.node}`, ...names, `formidable ${require('formidable').VERSION ?? 3}`].join(', '));
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const [contentType, body, ...names] = line.split(' ');
    const [type, bytes] = [contentType, body].map((text) => Buffer.from(text.slice(1), 'base64'));
    say(await answer(type.toString('latin1'), bytes, names));
  }
}
main();
