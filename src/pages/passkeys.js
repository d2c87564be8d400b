// Signing in with a passkey, by a button or offered by the browser in the form; and the list of one's own.
"use strict";

// A challenge is good for five minutes; the one that waits in the form is replaced before.
const CHALLENGE_MS = 4 * 60 * 1000;

const byId = (id) => document.getElementById(id);
const sections = ["sign-in", "second-factor", "mine"];
let mfaToken = null;
// Ends the request that waits in the form: there can be only one at a time.
let waiting = null;

function show(section) {
  sections.forEach((id) => { byId(id).hidden = id !== section; });
}

// What this page says, in the language of its reader; `{}` stands for a value.
const texts = byId("message").dataset;
const filled = (text, value) => text.replace("{}", () => value);

function say(text) {
  byId("message").textContent = text;
}

function csrfToken() {
  const pair = document.cookie.split("; ").find((cookie) => /^(__Host-|__Secure-)?csrf_access_token=/.test(cookie));
  return pair ? pair.slice(pair.indexOf("=") + 1) : "";
}

// Paths are relative to this page, so that a public URL with a path works.
async function call(method, path, body) {
  const headers = { "X-CSRF-Token": csrfToken() };
  if (body !== undefined) {
    headers["Content-Type"] = "application/json";
  }
  const answer = await fetch(`../auth/${path}`, { method, headers, body: body && JSON.stringify(body) });
  const value = answer.status === 204 ? null : await answer.json();
  if (!answer.ok) {
    const { code, message, details } = value.error;
    const error = new Error(details.reason ? `${message}: ${details.field} ${details.reason}` : message);
    throw Object.assign(error, { code, details });
  }
  return value;
}

// What an authenticator says to a question of the server.
async function answerTo(question, more) {
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(question.options);
  const credential = await navigator.credentials.get({ publicKey, ...more });
  return { challenge_id: question.challenge_id, credential: credential.toJSON() };
}

function stopWaiting() {
  waiting?.abort();
  waiting = null;
}

// Has the browser offer passkeys where the user name is typed, until one is chosen or something else is done.
async function offerInForm() {
  if (!(await PublicKeyCredential.isConditionalMediationAvailable?.())) {
    return;
  }
  stopWaiting();
  const mine = waiting = new AbortController();
  const renew = setTimeout(offerInForm, CHALLENGE_MS);
  try {
    const question = await call("POST", "passkeys/login/start", {});
    const answer = await answerTo(question, { mediation: "conditional", signal: mine.signal });
    await call("POST", "passkeys/login/finish", answer);
    await showMine();
  } catch (error) {
    // Ended by this page, or declined in the browser: nobody has asked for anything.
    if (error.name !== "AbortError" && error.name !== "NotAllowedError") {
      say(error.message);
    }
  } finally {
    clearTimeout(renew);
  }
}

async function signInWithPasskey() {
  stopWaiting();
  const question = await call("POST", "passkeys/login/start", {});
  await call("POST", "passkeys/login/finish", await answerTo(question));
  await showMine();
}

async function signInWithPassword() {
  stopWaiting();
  try {
    await call("POST", "token", { username: byId("username").value, password: byId("password").value });
  } catch (error) {
    if (error.code !== "MFA_REQUIRED") {
      throw error;
    }
    mfaToken = error.details.mfa_token;
    byId("second-factor-with-passkey").hidden = !error.details.methods.includes("passkey");
    show("second-factor");
    return;
  } finally {
    byId("password").value = "";
  }
  await showMine();
}

async function showCode() {
  await call("POST", "mfa/verify", { mfa_token: mfaToken, code: byId("code").value });
  byId("code").value = "";
  await showMine();
}

async function showSecondPasskey() {
  const question = await call("POST", "mfa/passkey/start", { mfa_token: mfaToken });
  await call("POST", "mfa/verify", { mfa_token: mfaToken, passkey: await answerTo(question) });
  await showMine();
}

async function add() {
  const question = await call("POST", "passkeys/register/start", {});
  const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(question.options);
  const credential = await navigator.credentials.create({ publicKey });
  const name = byId("name").value.trim() || undefined;
  const body = { challenge_id: question.challenge_id, credential: credential.toJSON(), name };
  const made = await call("POST", "passkeys/register/finish", body);
  byId("name").value = "";
  await showMine();
  say(filled(texts.added, made.name));
}

async function remove(passkey) {
  await call("DELETE", `passkeys/${passkey.id}`);
  // Has the authenticator forget it, too, where the browser can ask for that.
  const { rp_id: rpId, credential_id: credentialId } = passkey;
  await PublicKeyCredential.signalUnknownCredential?.({ rpId, credentialId }).catch(() => {});
  await showMine();
  say(filled(texts.removed, passkey.name));
}

function itemOf(passkey) {
  const item = document.createElement("li");
  item.dataset.id = passkey.id;
  const name = document.createElement("strong");
  name.textContent = passkey.name;
  const at = new Date(passkey.last_used_at).toLocaleString(document.documentElement.lang);
  const used = passkey.last_used_at ? filled(texts.used, at) : texts.unused;
  const where = passkey.backed_up ? texts.several : texts.single;
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = texts.remove;
  button.addEventListener("click", doing(() => remove(passkey)));
  item.append(name, ` — ${where}, ${used}`, button);
  return item;
}

async function showMine() {
  const [me, list] = await Promise.all([call("GET", "me"), call("GET", "passkeys?limit=200")]);
  document.querySelector("#mine p strong").textContent = me.username;
  byId("list").replaceChildren(...list.items.map(itemOf));
  say("");
  show("mine");
}

async function endOthers() {
  const { ended } = await call("DELETE", "sessions");
  say(filled(texts.ended, ended));
}

async function signOut() {
  await call("POST", "logout");
  await showSignIn();
}

async function showSignIn() {
  show("sign-in");
  offerInForm();
}

// Runs what a button or a form does; says what went wrong.
function doing(work) {
  return async (event) => {
    event.preventDefault();
    say("");
    try {
      await work();
    } catch (error) {
      if (error.code === "REAUTHENTICATION_REQUIRED") {
        await showSignIn();
        say(texts.again);
      } else if (error.name === "NotAllowedError") {
        say(texts.none);
      } else {
        say(error.message);
      }
    }
  };
}

async function start() {
  if (!window.PublicKeyCredential?.parseRequestOptionsFromJSON) {
    say(texts.unknown);
  }
  byId("password-form").addEventListener("submit", doing(signInWithPassword));
  byId("sign-in-with-passkey").addEventListener("click", doing(signInWithPasskey));
  byId("code-form").addEventListener("submit", doing(showCode));
  byId("second-factor-with-passkey").addEventListener("click", doing(showSecondPasskey));
  byId("add-form").addEventListener("submit", doing(add));
  byId("end-others").addEventListener("click", doing(endOthers));
  byId("sign-out").addEventListener("click", doing(signOut));
  await showMine().catch(showSignIn);
}

start();
