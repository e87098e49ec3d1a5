// Real OpenID providers (npm oidc-provider) for the tests, on ports of this machine, that can be told to misbehave.
//
//   OPENID_MODULES=<directory with node_modules> node provider.mjs
//
// Says {"control": "http://127.0.0.1:<port>"} on its first line, and ends with its standard input.
//   POST /issuers            {kind, redirect_uri, people, private_key_jwt, id_token_alg, tls} -> {issuer, client_id, client_secret}
//   POST /behave?n=          {id_token, userinfo, status, keys} -> how to misbehave from now on; {} is as it should be
//   POST /rotate?n=          new signing keys
//   GET  /calls?n=           how often each path was asked for
// The good paths are oidc-provider's own. What it would never do is done to its answers afterwards, with its own keys.
import http from 'node:http';
import https from 'node:https';
import crypto from 'node:crypto';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const require = createRequire(`${process.env.OPENID_MODULES}/modules.js`);
const load = (name) => import(pathToFileURL(require.resolve(name)).href);
const { Provider } = await load('oidc-provider');
const jose = await load('jose');

const PSC = [
  'Secteur_Activite', 'SubjectOrganization', 'Mode_Acces_Raison', 'preferred_username', 'given_name', 'family_name',
  'Acces_Regulation_Medicale', 'UITVersion', 'Palier_Authentification', 'SubjectRefPro', 'SubjectOrganizationID',
  'SubjectRole', 'PSI_Locale', 'otherIds', 'SubjectNameID',
];
const PIVOT = ['given_name', 'family_name', 'birthdate', 'gender', 'birthplace', 'birthcountry'];
const issuers = [];

const page = (title, form) => `<!doctype html><html lang="fr"><title>${title}</title><h1>${title}</h1>
<form method="post" autocomplete="off">${form}<button>Continuer</button></form>`;

async function signingKeys() {
  const keys = [];
  for (const alg of ['RS256', 'ES256']) {
    const { privateKey } = await jose.generateKeyPair(alg, { extractable: true });
    keys.push({ ...(await jose.exportJWK(privateKey)), alg, use: 'sig', kid: `${alg}-${crypto.randomUUID()}` });
  }
  return { keys };
}

function build(one) {
  const psc = one.kind === 'psc';
  const client = {
    client_id: one.client_id,
    redirect_uris: [one.redirect_uri],
    post_logout_redirect_uris: [one.redirect_uri],
    id_token_signed_response_alg: one.id_token_alg ?? (psc ? 'RS256' : 'ES256'),
  };
  if (one.jwks_of_client) {
    Object.assign(client, {
      token_endpoint_auth_method: 'private_key_jwt', token_endpoint_auth_signing_alg: 'ES256', jwks: one.jwks_of_client,
    });
  } else {
    client.client_secret = one.client_secret;
    client.token_endpoint_auth_method = psc ? 'client_secret_basic' : 'client_secret_post';
  }
  if (!psc) Object.assign(client, { userinfo_signed_response_alg: 'ES256', subject_type: 'pairwise' });
  const provider = new Provider(one.issuer, {
    clients: [client],
    jwks: one.jwks,
    enabledJWA: { idTokenSigningAlgValues: ['RS256', 'ES256', 'HS256'] },
    acrValues: ['eidas1', 'eidas2', 'eidas3'],
    claims: { openid: ['sub'], scope_all: PSC, identite_pivot: PIVOT, email: ['email'] },
    scopes: ['openid', 'scope_all', 'identite_pivot', 'email'],
    subjectTypes: ['public', 'pairwise'],
    pairwiseIdentifier: (_, account, { clientId }) => crypto.createHash('sha256').update(`${account} ${clientId}`).digest('hex'),
    features: {
      devInteractions: { enabled: false },
      jwtUserinfo: { enabled: true },
      rpInitiatedLogout: { enabled: true },
    },
    pkce: { required: () => true },
    cookies: { keys: ['of the tests'] },
    ttl: { AuthorizationCode: 30, AccessToken: 60, IdToken: 60 },
    interactions: { url: (_, { uid }) => `/interaction/${uid}` },
    findAccount: (_, id) => one.people[id] && { accountId: id, claims: () => ({ sub: id, ...one.people[id].claims }) },
  });
  return provider;
}

// The pages on which a person signs in and agrees.
async function interact(one, request, response) {
  const { prompt, params, grantId, session } = await one.provider.interactionDetails(request, response);
  response.setHeader('content-type', 'text/html; charset=utf-8');
  if (request.method === 'GET') {
    const form = prompt.name === 'login' ? '<input name="login"><input name="password" type="password">' : 'Vous acceptez ?';
    response.end(page(prompt.name, form));
    return;
  }
  if (prompt.name === 'login') {
    const given = new URLSearchParams(await body(request));
    const person = one.people[given.get('login')];
    if (!person || person.password !== given.get('password')) {
      response.writeHead(403).end(page('login', 'Non.'));
      return;
    }
    const login = { accountId: given.get('login'), acr: person.acr ?? 'eidas1' };
    await one.provider.interactionFinished(request, response, { login });
    return;
  }
  const grant = (grantId && (await one.provider.Grant.find(grantId)))
    || new one.provider.Grant({ accountId: session.accountId, clientId: params.client_id });
  grant.addOIDCScope(params.scope);
  const consent = { grantId: await grant.save() };
  await one.provider.interactionFinished(request, response, { consent }, { mergeWithLastSubmission: true });
}

const body = async (request) => Buffer.concat(await request.toArray()).toString();
const json = (response, value, status = 200) => response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');

// A token with other claims, signed by the provider's own key unless asked otherwise.
async function forge(one, token, how) {
  const header = jose.decodeProtectedHeader(token);
  const claims = jose.decodeJwt(token);
  const now = Math.floor(Date.now() / 1000);
  const key = one.jwks.keys.find(({ kid }) => kid === header.kid);
  const sign = (headers = header, by = key) => jose.importJWK(by, headers.alg).then((secret) => new jose.SignJWT(claims).setProtectedHeader(headers).sign(secret));
  switch (how) {
    // Nothing but another signature by the same key: what is refused below is refused for what is changed.
    case 'signed again': return sign();
    case 'nonce': claims.nonce = 'the-nonce-of-another-attempt'; return sign();
    case 'no nonce': delete claims.nonce; return sign();
    case 'audience': claims.aud = 'another-client'; return sign();
    case 'two audiences': claims.aud = [claims.aud, 'another-client']; return sign();
    case 'party': claims.azp = 'another-client'; return sign();
    case 'issuer': claims.iss = 'https://elsewhere.example'; return sign();
    case 'expired': claims.exp = now - 120; claims.iat = now - 240; return sign();
    case 'not yet': claims.nbf = now + 300; return sign();
    case 'issued later': claims.iat = now + 300; return sign();
    case 'issued long ago': claims.iat = now - 3600; return sign();
    case 'acr': claims.acr = 'eidas0'; return sign();
    case 'no acr': delete claims.acr; return sign();
    case 'access token': claims.at_hash = 'AAAAAAAAAAAAAAAAAAAAAA'; return sign();
    case 'subject': claims.sub = 'somebody-else'; return sign();
    case 'none': return `${encode({ ...header, alg: 'none' })}.${encode(claims)}.`;
    // The oldest trick: the public key, which everybody has, as the secret of an HMAC.
    case 'HS256 with the public key': {
      const pem = crypto.createPublicKey({ key, format: 'jwk' }).export({ type: 'spki', format: 'pem' });
      const message = `${encode({ ...header, alg: 'HS256' })}.${encode(claims)}`;
      return `${message}.${crypto.createHmac('sha256', pem).update(message).digest('base64url')}`;
    }
    // What an attacker who knows the client's secret would send where only public keys may sign.
    case 'HS256 with the client secret': {
      const message = `${encode({ alg: 'HS256' })}.${encode(claims)}`;
      return `${message}.${crypto.createHmac('sha256', one.client_secret).update(message).digest('base64url')}`;
    }
    case 'another key': {
      const { keys } = await signingKeys();
      return sign(header, keys.find(({ alg }) => alg === header.alg));
    }
    case 'key in the header': {
      const { keys } = await signingKeys();
      const own = keys.find(({ alg }) => alg === header.alg);
      const { d, p, q, dp, dq, qi, ...open } = own;
      return sign({ ...header, kid: own.kid, jwk: open }, own);
    }
    case 'unknown key': return sign({ ...header, kid: 'nobody-knows' });
    case 'critical': return sign({ ...header, crit: ['b64'], b64: true }).catch(() => `${encode({ ...header, crit: ['x'], x: 1 })}.${encode(claims)}.AAAA`);
    case 'signature': {
      const [head, , signature] = token.split('.');
      return `${head}.${encode({ ...claims, email: 'somebody@else.example' })}.${signature}`;
    }
    case 'truncated': return token.slice(0, -8);
    default: throw new Error(`nobody knows how to forge ${how}`);
  }
}

// What the provider itself answers, before anything is done to it.
async function straight(one, request) {
  const headers = { ...request.headers, 'x-straight': '1' };
  delete headers.host; delete headers.connection; delete headers['content-length'];
  const given = request.method === 'GET' ? undefined : await body(request);
  return fetch(new URL(request.url, one.plain), { method: request.method, headers, body: given });
}

async function serve(one, request, response) {
  const path = new URL(request.url, one.issuer).pathname;
  const direct = request.headers['x-straight'] === '1';
  if (!direct) one.calls[path] = (one.calls[path] ?? 0) + 1;
  const how = direct ? {} : one.behaviour;
  if (how.status && path !== '/auth' && !path.startsWith('/interaction')) {
    response.writeHead(how.status, { location: 'http://127.0.0.1:1/' }).end('{}');
    return;
  }
  if (how.large && path === '/token') { response.writeHead(200, { 'content-type': 'application/json' }).end(' '.repeat(1 << 20)); return; }
  if (how.slow && path === '/token') return; // no answer at all
  const wallet = '/.well-known/wallet-openid-configuration';
  const usual = '/.well-known/openid-configuration';
  if (one.kind === 'psc' && path === wallet) {
    // Its own path, and people are sent to another host than the one that gives tokens.
    const known = await (await fetch(`${one.plain}${usual}`, { headers: { 'x-straight': '1' } })).text();
    const placed = JSON.parse(known.replaceAll(one.plain, one.issuer));
    placed.authorization_endpoint = `${one.plain.replace('localhost', '127.0.0.1')}/auth`;
    json(response, { ...placed, ...how.discovery });
    return;
  }
  if (one.kind === 'psc' && path === usual && !direct) { json(response, {}, 404); return; }
  if (one.kind === 'franceconnect' && path === '/auth') {
    const asked = new URL(request.url, one.issuer).searchParams;
    const sound = (asked.get('nonce') ?? '').length >= 22 && (asked.get('state') ?? '').length > 0 && asked.get('acr_values');
    if (!sound) { json(response, { error: 'invalid_request' }, 400); return; }
  }
  if (path.startsWith('/interaction/')) { await interact(one, request, response); return; }
  if (path === '/token' && how.id_token) {
    const answer = await (await straight(one, request)).json();
    if (how.id_token === 'absent') delete answer.id_token;
    else if (answer.id_token) answer.id_token = await forge(one, answer.id_token, how.id_token);
    json(response, answer);
    return;
  }
  if (path === '/me' && how.userinfo) {
    const answer = await (await straight(one, request)).text();
    if (how.userinfo === 'unsigned') { json(response, jose.decodeJwt(answer)); return; }
    if (how.userinfo === 'json of another') { json(response, { ...JSON.parse(answer), sub: 'somebody-else' }); return; }
    response.writeHead(200, { 'content-type': 'application/jwt' }).end(await forge(one, answer, how.userinfo));
    return;
  }
  one.provider.callback()(request, response);
}

const listen = (server) => new Promise((done) => { server.listen(0, '127.0.0.1', () => done(server.address().port)); });

async function create({ kind, redirect_uri, people, private_key_jwt, id_token_alg, tls }) {
  let own_key;
  let jwks_of_client;
  if (private_key_jwt) {
    const { privateKey, publicKey } = crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' });
    own_key = privateKey.export({ type: 'pkcs8', format: 'der' }).toString('base64');
    jwks_of_client = { keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'ours', alg: 'ES256', use: 'sig' }] };
  }
  const one = {
    kind, redirect_uri, people, jwks_of_client, id_token_alg, client_id: `carnet-${issuers.length}`, client_secret: crypto.randomBytes(32).toString('hex'),
    jwks: await signingKeys(), calls: {}, behaviour: {},
  };
  const answer = (request, response) => {
    serve(one, request, response).catch((error) => { console.error(error); if (!response.headersSent) json(response, { error: `${error}` }, 500); });
  };
  one.plain = `http://localhost:${await listen(http.createServer(answer))}`;
  // With certificates the back channel is mutual TLS; browsers stay on the plain port.
  one.issuer = tls
    ? `https://localhost:${await listen(https.createServer({ ...tls, requestCert: true, rejectUnauthorized: true }, answer))}`
    : one.plain;
  one.provider = build(one);
  issuers.push(one);
  return { n: issuers.length - 1, issuer: one.issuer, client_id: one.client_id, client_secret: one.client_secret, private_key: own_key };
}

async function control(request, response) {
  const url = new URL(request.url, 'http://control');
  const one = issuers[Number(url.searchParams.get('n'))];
  const given = request.method === 'POST' ? JSON.parse((await body(request)) || '{}') : {};
  switch (url.pathname) {
    case '/issuers': return json(response, await create(given));
    case '/behave': one.behaviour = given; return json(response, {});
    case '/rotate': one.jwks = await signingKeys(); one.provider = build(one); return json(response, {});
    case '/calls': return json(response, one.calls);
    default: return json(response, {}, 404);
  }
}

const port = await listen(http.createServer((request, response) => {
  control(request, response).catch((error) => json(response, { error: `${error.stack}` }, 500));
}));
console.log(JSON.stringify({ control: `http://127.0.0.1:${port}` }));
// Nobody reads on.
console.log = console.info = console.error;
process.stdin.on('end', () => process.exit(0)).resume();
