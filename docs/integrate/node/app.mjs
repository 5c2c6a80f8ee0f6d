// An Express service that trusts Keyward: node app.mjs
import express from 'express';
import { createRemoteJWKSet, errors, jwtVerify } from 'jose';

const issuer = process.env.KEYWARD_ISSUER;
const audience = process.env.KEYWARD_AUDIENCE ?? issuer;

// Fetched at the first token and kept for five minutes, as Keyward's max-age says; anew for an unknown key, at most
// every ten seconds.
const keys = createRemoteJWKSet(new URL(`${issuer}/.well-known/jwks.json`), {
  cacheMaxAge: 300_000,
  cooldownDuration: 10_000,
  timeoutDuration: 5_000,
});

const refuse = (response, status, code, description) => {
  const challenge = code ? `, error="${code}", error_description="${description}"` : '';
  response.set('WWW-Authenticate', `Bearer realm="keyward"${challenge}`);
  response.status(status).json({ detail: description });
};

/** Lets callers with a good token through, and leaves its claims in `request.caller`. */
async function authenticate(request, response, next) {
  const [, token] = /^bearer +(.*)$/i.exec(request.get('authorization') ?? '') ?? [];
  if (token === undefined) return refuse(response, 401, undefined, 'send a Bearer token');
  try {
    const { payload } = await jwtVerify(token, keys, {
      algorithms: ['ES256'], // Keyward's token.algorithm, and no other
      typ: 'at+jwt',
      issuer,
      audience,
      clockTolerance: 30,
      requiredClaims: ['sub', 'iat', 'exp', 'jti', 'sid', 'roles'],
    });
    request.caller = payload;
  } catch (error) {
    if (error instanceof errors.JWTExpired) {
      return refuse(response, 401, 'invalid_token', 'the access token has expired');
    }
    // A JWKS that did not come is not the caller's fault, nor is a network error, which is none of jose's.
    const away = error instanceof errors.JWKSTimeout || error instanceof errors.JWKSInvalid;
    if (away || !(error instanceof errors.JOSEError) || error.constructor === errors.JOSEError) {
      return response.set('Retry-After', '1').status(503).json({ detail: 'tokens cannot be verified just now' });
    }
    return refuse(response, 401, 'invalid_token', 'the access token is not valid');
  }
  next();
}

const requireRole = (role) => (request, response, next) => {
  const { roles } = request.caller;
  if (Array.isArray(roles) && roles.includes(role)) return next();
  refuse(response, 403, 'insufficient_scope', `this needs the role ${role}`);
};

const app = express();
app.get('/me', authenticate, (request, response) => {
  response.json({ id: request.caller.sub, roles: request.caller.roles });
});
app.get('/report', authenticate, requireRole('admin'), (request, response) => {
  response.json({ for: request.caller.sub });
});

const [host, port] = (process.env.LISTEN ?? '127.0.0.1:8080').split(':');
const server = app.listen(Number(port), host, () => {
  console.log(`listening on ${host}:${server.address().port}`);
});
