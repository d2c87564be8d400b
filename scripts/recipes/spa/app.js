// Authorization code with PKCE (RFC 7636) in a browser, without any library. The client is public; the server lets pages of any
// origin ask at its token endpoint, since nothing there depends on cookies. Tokens stay in memory: a script that got into
// this page would find none in storage, and a reload signs in anew without a question.
const { issuer, clientId } = document.documentElement.dataset;
const redirectUri = location.origin + location.pathname;
const element = (id) => document.getElementById(id);
let tokens;

const base64url = (bytes) =>
  btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
const random = () => base64url(crypto.getRandomValues(new Uint8Array(32)));

const about = await (await fetch(`${issuer}/.well-known/openid-configuration`)).json();

async function signIn() {
  const [verifier, state] = [random(), random()];
  sessionStorage.setItem("begun", JSON.stringify({ verifier, state }));
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier));
  location.assign(`${about.authorization_endpoint}?${new URLSearchParams({
    response_type: "code",
    client_id: clientId,
    redirect_uri: redirectUri,
    scope: "openid profile email",
    state,
    code_challenge: base64url(new Uint8Array(digest)),
    code_challenge_method: "S256",
  })}`);
}

async function ask(fields) {
  const body = new URLSearchParams({ client_id: clientId, ...fields });
  const answer = await (await fetch(about.token_endpoint, { method: "POST", body })).json();
  if (answer.error) throw new Error(`${answer.error}: ${answer.error_description}`);
  tokens = answer;
  return show();
}

// The answer in the URL, if there is one: for this request (state), and from this server (RFC 9207).
async function comeBack() {
  const answer = new URLSearchParams(location.search);
  const begun = JSON.parse(sessionStorage.getItem("begun") ?? "null");
  if (!answer.has("state") || !begun) return;
  sessionStorage.removeItem("begun");
  history.replaceState(null, "", redirectUri);
  if (answer.get("state") !== begun.state || answer.get("iss") !== issuer) throw new Error("an answer that was not asked for");
  if (answer.has("error")) throw new Error(answer.get("error_description"));
  await ask({
    grant_type: "authorization_code",
    code: answer.get("code"),
    redirect_uri: redirectUri,
    code_verifier: begun.verifier,
  });
}

async function show() {
  const headers = { authorization: `Bearer ${tokens.access_token}` };
  const user = await (await fetch(about.userinfo_endpoint, { headers })).json();
  element("who").textContent = `Signed in as ${user.preferred_username}`;
  element("sign-in").hidden = true;
  element("refresh").hidden = element("sign-out").hidden = false;
}

element("sign-in").addEventListener("click", signIn);
element("refresh").addEventListener("click", async () => {
  await ask({ grant_type: "refresh_token", refresh_token: tokens.refresh_token });
  element("who").textContent += ", refreshed";
});
element("sign-out").addEventListener("click", () => location.assign(`${about.end_session_endpoint}?${new URLSearchParams({
  id_token_hint: tokens.id_token,
  post_logout_redirect_uri: redirectUri,
})}`));

try {
  await comeBack();
} catch (error) {
  element("who").textContent = error.message;
}
document.documentElement.dataset.ready = "";
