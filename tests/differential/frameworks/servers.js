// Logins in Express, Fastify and formidable, each on a port of its own. Prints the ports by name; ends when its input does.
'use strict';

const http = require('node:http');
const express = require('express');
const fastify = require('fastify');
const { formidable } = require('formidable');
const methodOverride = require('method-override');
const qs = require('qs');
const { createServerAdapter } = require('@whatwg-node/server');
const querystring = require('node:querystring');

const any = () => true;
const login = (read) => (request, response) => {
  let phone = null;
  try {
    phone = read(request)?.phone ?? null;
  } catch {
    // No login.
  }
  response.json({ login: phone === null ? null : String(phone) });
};
const body = (request) => request.body;

// An application with these middlewares, and a login for POST requests only.
function posting(middlewares, read = body) {
  const app = express();
  app.use(...middlewares);
  app.post('/login', login(read));
  app.use((request, response) => response.json({}));
  app.use((error, request, response, next) => response.status(400).json({}));
  return app;
}

function routedByQuery() {
  const app = express();
  app.use(express.json(), express.urlencoded({ extended: true }));
  app.post('/', (request, response, next) => {
    if (String(request.query.s ?? '').replace(/^\/+|\/+$/g, '') !== 'login') return next();
    login(body)(request, response);
  });
  app.use((request, response) => response.json({}));
  return app;
}

// A path that several calls share: by each way to read `method`, whom a login logs in.
function calls() {
  const app = express();
  app.use(express.text({ type: any }));
  const parsed = (text) => {
    try {
      return JSON.parse(text);
    } catch {
      return qs.parse(text);
    }
  };
  const readers = {
    'call in json': (request) => JSON.parse(request.body),
    'call in any form': (request) => Object.fromEntries(new URLSearchParams(request.body)),
    'call in a copy': (request) => Object.assign({}, JSON.parse(request.body)),
    'call in query and body': (request) => ({ ...parsed(request.body), ...request.query }),
  };
  app.post('/login', (request, response) => {
    const who = {};
    for (const [name, read] of Object.entries(readers)) {
      who[name] = null;
      try {
        const found = read(request);
        if (String(found.method) === 'login' && typeof found.phone === 'string') who[name] = found.phone;
      } catch {
        // No login.
      }
    }
    response.json(who);
  });
  app.use((request, response) => response.json({}));
  return app;
}

// Routes by a URL that the server puts together.
function byUrl(request, response) {
  let phone = null;
  const { host, 'x-forwarded-proto': scheme, 'x-forwarded-host': forwarded } = request.headers;
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', () => {
    try {
      const url = new URL(`${scheme ?? 'http'}://${forwarded ?? host}${request.url}`);
      if (request.method === 'POST' && url.pathname === '/login') phone = JSON.parse(Buffer.concat(chunks)).phone;
    } catch {
      // No login.
    }
    response.end(JSON.stringify({ login: phone }));
  });
}

const byAdapter = createServerAdapter(async (request) => {
  const isLogin = request.method === 'POST' && new URL(request.url).pathname === '/login';
  const body = isLogin ? await request.json() : {};
  return new Response(JSON.stringify({ login: body.phone ?? null }));
});

const text = express.text({ type: any });
const applications = {
  json: posting([express.json()]),
  'json of any type': posting([express.json({ type: any })]),
  form: posting([express.urlencoded({ extended: true })]),
  'form of any type': posting([express.urlencoded({ extended: true, type: any, inflate: false })]),
  URLSearchParams: posting([text], (request) => Object.fromEntries(new URLSearchParams(request.body))),
  'qs with dots': posting([text], (request) => {
    const form = qs.parse(request.body, { allowDots: true });
    return form.model ?? form;
  }),
  // The encoded bytes: Node's own server decodes nothing.
  raw: (request, response) => {
    const chunks = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('end', () => {
      const form = querystring.parse(Buffer.concat(chunks).toString('latin1'));
      response.end(JSON.stringify(request.url.startsWith('/login') ? { login: form.phone ?? null } : {}));
    });
  },
  'query and body': posting([express.json(), express.urlencoded({ extended: true })], (request) => ({
    ...request.body,
    ...request.query,
  })),
  'method override': posting([
    methodOverride('X-HTTP-Method-Override', { methods: null }),
    methodOverride('X-HTTP-Method', { methods: null }),
    methodOverride('X-Method-Override', { methods: null }),
    methodOverride('_method', { methods: null }),
    express.json({ type: any }),
    express.urlencoded({ extended: true }),
  ]),
  'routed by query': routedByQuery(),
  'URL of the host': byUrl,
  '@whatwg-node/server': byAdapter,
  calls: calls(),
  formidable: async (request, response) => {
    let fields = {};
    try {
      [fields] = await formidable().parse(request);
    } catch {
      // No login.
    }
    const phone = [fields.phone ?? null].flat()[0];
    response.end(JSON.stringify({ login: phone }));
  },
};

async function fastifyServer() {
  const app = fastify();
  app.register(require('@fastify/formbody'));
  app.post('/login', (request) => ({ login: request.body?.phone ?? null }));
  app.setNotFoundHandler((request, reply) => reply.send({}));
  app.setErrorHandler((error, request, reply) => reply.status(400).send({}));
  await app.listen({ host: '127.0.0.1', port: 0 });
  return app.server.address().port;
}

async function main() {
  const ports = { Fastify: await fastifyServer() };
  for (const [name, application] of Object.entries(applications)) {
    const server = http.createServer(application);
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    ports[name] = server.address().port;
  }
  process.stdout.write(JSON.stringify(ports) + '\n');
}
process.stdin.resume();
process.stdin.on('end', () => process.exit());
main();
