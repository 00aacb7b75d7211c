// npm's WS-Federation packages as peers: `wsfed` and `saml` issue tokens, `passport-wsfed-saml2` accepts them.
//
// node peer.js SETTINGS.json
//
// Prints one line of JSON when it is ready: {"url": "http://127.0.0.1:PORT"}. SETTINGS.json says:
//   issuerKey, issuerCertificate        PEM files: the peer as an issuer signs with them
//   encryptionCertificate               PEM file: whom the peer as an issuer encrypts for
//   decryptionKey                       PEM file: what the peer as a relying party decrypts with
//   stsUrl, stsCertificate              the token service that the peer as a relying party trusts; the file is read on first use
//
//   /issuer/saml11, /issuer/saml11-encrypted, /issuer/saml20, /issuer/saml20-encrypted   sign-in pages
//   /followed/FederationMetadata/2007-06/FederationMetadata.xml                          the issuer's metadata: saml11
//   /rp/NAME                            sends people to the token service, with the realm urn:peer:NAME
//   /rp/NAME/callback                   takes the token and prints who came, as JSON
//   anything else                       an application that prints the headers it got
'use strict';

const fs = require('fs');
const express = require('express');
const { Passport } = require('passport');
const { Strategy } = require('passport-wsfed-saml2');
const { Saml20 } = require('saml');
const wsfed = require('wsfed');
const xmlenc = require('xml-encryption');

const settings = JSON.parse(fs.readFileSync(process.argv[2], 'utf8'));
const read = (file) => fs.readFileSync(file, 'utf8');
const ISSUER = 'urn:peer:issuer';
const NAME = 'http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name';
const ROLE = 'http://schemas.microsoft.com/ws/2008/06/identity/claims/role';

const app = express();
app.use(express.urlencoded({ extended: false, limit: '1mb' }));

// ---- The issuer ----

const signing = { key: read(settings.issuerKey), cert: read(settings.issuerCertificate) };
const encryptionCert = read(settings.encryptionCertificate);
const publicKey = new (require('crypto').X509Certificate)(encryptionCert).publicKey.export({ type: 'spki', format: 'pem' });
const encrypting = { encryptionPublicKey: publicKey, encryptionCert };

class Profile {
  getClaims() {
    return { [NAME]: 'Alice & Bob', [ROLE]: ['clerk', 'reader'] };
  }

  getNameIdentifier() {
    return { nameIdentifier: 'u-1' };
  }
}

function saml11(encryption) {
  return wsfed.auth({
    issuer: ISSUER,
    ...signing,
    ...encryption,
    signatureAlgorithm: 'rsa-sha256',
    digestAlgorithm: 'sha256',
    plain_form: true,
    getUserFromRequest: () => ({ id: 'u-1' }),
    getPostURL: (realm, reply, request, callback) => callback(null, reply),
    profileMapper: () => new Profile(),
  });
}

// The package `wsfed` issues SAML 1.1 only; for 2.0 its library for assertions is put into the same response by hand.
function saml20(encryption) {
  return (request, response, next) => {
    const attributes = { [NAME]: 'Alice & Bob', [ROLE]: ['clerk', 'reader'] };
    const options = {
      issuer: ISSUER,
      ...signing,
      ...encryption,
      signatureAlgorithm: 'rsa-sha256',
      digestAlgorithm: 'sha256',
      lifetimeInSeconds: 600,
      audiences: request.query.wtrealm,
      attributes,
      nameIdentifier: 'u-1',
    };
    Saml20.create(options, (error, assertion) => {
      if (error) return next(error);
      const trust = 'http://schemas.xmlsoap.org/ws/2005/02/trust';
      const result = `<t:RequestSecurityTokenResponse xmlns:t="${trust}"><t:RequestedSecurityToken>${assertion}` +
        '</t:RequestedSecurityToken></t:RequestSecurityTokenResponse>';
      const text = (value) => value.replace(/&/g, '&amp;').replace(/"/g, '&quot;').replace(/</g, '&lt;').replace(/>/g, '&gt;');
      const input = (name, value) => `<input type="hidden" name="${name}" value="${text(value)}">`;
      response.send(`<form method="post" action="${text(request.query.wreply)}">${input('wa', 'wsignin1.0')}` +
        `${input('wresult', result)}${input('wctx', request.query.wctx)}</form>`);
    });
  };
}

app.get('/issuer/saml11', saml11({}));
app.get('/issuer/saml11-encrypted', saml11(encrypting));
app.get('/issuer/saml20', saml20({}));
app.get('/issuer/saml20-encrypted', saml20(encrypting));

app.get('/followed/FederationMetadata/2007-06/FederationMetadata.xml',
  wsfed.metadata({ issuer: ISSUER, cert: signing.cert, endpointPath: '/issuer/saml11' }));

// ---- The relying party ----

const passports = new Map();

function relyingParty(name) {
  if (!passports.has(name)) {
    const strategy = new Strategy({
      path: `/rp/${name}/callback`,
      realm: `urn:peer:${name}`,
      homeRealm: '',
      identityProviderUrl: settings.stsUrl,
      cert: read(settings.stsCertificate).replace(/-----[^-]+-----|\s/g, ''),
    }, (profile, done) => done(null, profile));
    const passport = new Passport();
    passport.use(strategy);
    passports.set(name, passport.authenticate('wsfed-saml2', { session: false }));
  }
  return passports.get(name);
}

// `passport-wsfed-saml2` decrypts in its SAML protocol only; what it decrypts with there is done here for WS-Federation.
function decrypt(request, response, next) {
  const result = request.body.wresult || '';
  const found = result.match(/<(?:\w+:)?EncryptedAssertion[\s\S]*<\/(?:\w+:)?EncryptedAssertion>/) ||
    result.match(/<(?:\w+:)?EncryptedData[\s\S]*<\/(?:\w+:)?EncryptedData>/);
  if (!found) return next();
  const options = { key: read(settings.decryptionKey), disallowDecryptionWithInsecureAlgorithm: false };
  xmlenc.decrypt(found[0], options, (error, token) => {
    if (error) return next(error);
    request.wasEncrypted = true;
    request.body.wresult = result.replace(found[0], () => token);
    next();
  });
}

app.get('/rp/:name', (request, response, next) => relyingParty(request.params.name)(request, response, next));
app.post('/rp/:name/callback', decrypt, (request, response, next) => {
  relyingParty(request.params.name)(request, response, next);
}, (request, response) => {
  response.json({ encrypted: Boolean(request.wasEncrypted), user: request.user });
});

// ---- The application ----

app.use((request, response, next) => (request.path.startsWith('/rp/') || request.path.startsWith('/issuer/'))
  ? next() : response.json(request.headers));
app.use((error, request, response, next) => response.status(500).type('text').send(String(error.stack || error)));

const server = app.listen(0, '127.0.0.1', () => {
  console.log(JSON.stringify({ url: `http://127.0.0.1:${server.address().port}` }));
});
