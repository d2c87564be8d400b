// Signs in with a passkey: offered by the browser where the user name is typed, or by a button. What the authenticator says
// goes into the form of the page, which is sent like any other. Without this script the page works without passkeys.
"use strict";

const button = document.getElementById("passkey");
// A challenge is good for five minutes; the one that waits in the form is replaced before.
const CHALLENGE_MS = 4 * 60 * 1000;
let waiting = null;

async function ask(more) {
  const token = button.form.elements.mfa_token?.value;
  const answer = await fetch(button.dataset.start, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(token ? { mfa_token: token } : {}),
  });
  if (!answer.ok) {
    throw new Error("refused");
  }
  const question = await answer.json();
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(question.options);
  const credential = await navigator.credentials.get({ publicKey, ...more });
  const fields = button.form.elements;
  fields.challenge_id.value = question.challenge_id;
  fields.credential.value = JSON.stringify(credential.toJSON());
  // Past the form's own members: its button is called submit, too. And without asking for what it requires otherwise.
  HTMLFormElement.prototype.submit.call(button.form);
}

// Until a passkey is chosen, or something else is done.
async function offer() {
  waiting = new AbortController();
  const renew = setTimeout(() => { waiting.abort(); offer(); }, CHALLENGE_MS);
  // Ended by this page, or declined in the browser: nobody has asked for anything.
  await ask({ mediation: "conditional", signal: waiting.signal }).catch(() => clearTimeout(renew));
}

if (button && window.PublicKeyCredential?.parseRequestOptionsFromJSON) {
  button.hidden = false;
  button.addEventListener("click", () => {
    waiting?.abort();
    button.disabled = true;
    ask({}).catch(() => { button.disabled = false; });
  });
  if ("offered" in button.dataset) {
    PublicKeyCredential.isConditionalMediationAvailable?.().then((can) => { if (can) offer(); });
  }
}

// A page that comes back from the browser's memory has a form that was sent already.
addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
