// The part of oidc.py that is done with openid-client. Lines that begin with «go» are URLs for the browser; where it came out
// is read from standard input. One that begins with «device» has a page and the code to be typed in there.
import * as readline from "node:readline/promises";
import * as client from "openid-client";

const { issuer, redirect, signedOut, scope, client: app, machine, signed, device } = JSON.parse(process.argv[2]);
const input = readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]();
// The provider of this script speaks plain http.
const insecure = { execute: [client.allowInsecureRequests] };

function check(what, holds, seen = "") {
  if (!holds) {
    console.log(`surprise: openid-client: ${what}: ${JSON.stringify(seen)}`);
    process.exit(1);
  }
  console.log(`ok   openid-client: ${what}`);
}

async function browse(url) {
  console.log(`go ${url.href}`);
  return new URL((await input.next()).value);
}

async function refused(what, promise, code) {
  const error = await promise.then(() => null, (error) => error);
  // A refusal of a resource stands in its challenge.
  const said = error?.error ?? error?.cause?.[0]?.parameters?.error;
  check(what, said === code, error?.message);
}

const about = await client.discovery(
  new URL(issuer), app.client_id, undefined, client.ClientSecretBasic(app.client_secret), insecure);
check("the discovery document is good", about.serverMetadata().issuer === issuer);

const verifier = client.randomPKCECodeVerifier();
const [state, nonce] = [client.randomState(), client.randomNonce()];
const request = {
  redirect_uri: redirect,
  scope,
  state,
  nonce,
  code_challenge: await client.calculatePKCECodeChallenge(verifier),
  code_challenge_method: "S256",
};
const place = await browse(client.buildAuthorizationUrl(about, request));
const checks = { pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce, idTokenExpected: true };
const tokens = await client.authorizationCodeGrant(about, place, checks);
const subject = tokens.claims().sub;
check("a code gives an ID token", subject.length > 0 && tokens.claims().nonce === nonce, tokens.claims());
await refused("the same code again is refused", client.authorizationCodeGrant(about, place, checks), "invalid_grant");

const again = await browse(client.buildAuthorizationUrl(about, request));
const second = await client.authorizationCodeGrant(about, again, checks);
const info = await client.fetchUserInfo(about, second.access_token, subject);
check("userinfo is about the same user", info.email === "ann@example.com", info);

const fresh = await client.refreshTokenGrant(about, second.refresh_token);
check("a refresh token rotates", fresh.refresh_token !== second.refresh_token);
const state1 = await client.tokenIntrospection(about, fresh.access_token);
check("introspection says that it is good", state1.active && state1.username === "ann", state1);
await client.tokenRevocation(about, fresh.refresh_token);
const state2 = await client.tokenIntrospection(about, fresh.access_token);
check("what was given back is good for nothing", state2.active === false, state2);

const service = await client.discovery(
  new URL(issuer), machine.client_id, undefined, client.ClientSecretPost(machine.client_secret), insecure);
const own = await client.clientCredentialsGrant(service);
check("a machine gets a token of its own", own.access_token.length > 0 && own.refresh_token === undefined);

// As FAPI 2.0 has it: who it is by a signature, the request pushed beforehand, tokens bound to a key.
const key = await crypto.subtle.importKey("jwk", signed.key, { name: "ECDSA", namedCurve: "P-256" }, false, ["sign"]);
const strict = await client.discovery(
  new URL(issuer), signed.client_id, undefined, client.PrivateKeyJwt({ key, kid: signed.key.kid }), insecure);
const bound = { DPoP: client.getDPoPHandle(strict, await client.randomDPoPKeyPair("ES256")) };
const pushed = await client.buildAuthorizationUrlWithPAR(strict, request, bound);
check("a request is pushed", pushed.searchParams.has("request_uri") && !pushed.searchParams.has("scope"), pushed.href);
const third = await client.authorizationCodeGrant(strict, await browse(pushed), checks, undefined, bound);
check("a token is bound to a key", third.token_type === "dpop", third.token_type);
const known = await client.fetchUserInfo(strict, third.access_token, subject, bound);
check("userinfo takes it with a proof", known.sub === subject, known);
await refused("and not without one", client.fetchUserInfo(strict, third.access_token, subject), "invalid_token");
const renewed = await client.refreshTokenGrant(strict, third.refresh_token, undefined, bound);
check("it is refreshed with a proof", renewed.token_type === "dpop" && renewed.access_token !== third.access_token);

// Without a browser of its own.
const box = await client.discovery(new URL(issuer), device.client_id, undefined, client.None(), insecure);
const begun = await client.initiateDeviceAuthorization(box, { scope });
console.log(`device ${begun.verification_uri} ${begun.user_code}`);
await input.next();
const fourth = await client.pollDeviceAuthorizationGrant(box, begun);
check("a device has its user logged in", fourth.claims().sub === subject, fourth.claims());

const end = client.buildEndSessionUrl(about, { post_logout_redirect_uri: signedOut, id_token_hint: second.id_token, state });
const left = await browse(end);
check("the session ends and the browser comes back", left.href === `${signedOut}?state=${state}`, left.href);
process.exit(0);
