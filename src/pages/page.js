// Reads the token behind the #, takes it out of the address, and sends the form to the API.
"use strict";
const form = document.querySelector("form");
const status = document.querySelector("[role=status]");
const token = new URLSearchParams(location.hash.slice(1)).get("token");
if (token) {
  form.elements.token.value = token;
  document.querySelector("[data-token]").hidden = true;
  history.replaceState(null, "", location.pathname);
}
// Another link that is opened in this tab changes what is behind the # alone: the page begins anew with it.
addEventListener("hashchange", () => location.reload());

async function send(path, fields) {
  const answer = await fetch("../" + path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    credentials: "same-origin",
    body: JSON.stringify(fields),
  });
  return [answer.ok, await answer.json().catch(() => ({}))];
}

let second = null;
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = form.querySelector("button");
  button.disabled = true;
  status.textContent = "";
  const all = Object.fromEntries(new FormData(form));
  const filled = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== ""));
  try {
    const [done, body] = second
      ? await send("auth/mfa/verify", { mfa_token: second, code: filled.code ?? "" })
      : await send(form.dataset.api, filled);
    if (done) {
      form.hidden = true;
      status.textContent = form.dataset.done;
      document.querySelector("[data-next]")?.removeAttribute("hidden");
      return;
    }
    const error = body.error ?? { message: "That did not work", details: {} };
    if (error.code === "MFA_REQUIRED") {
      second = error.details.mfa_token;
      document.querySelector("[data-second]").hidden = false;
      form.elements.code.focus();
      const hasPasskey = error.details.methods.includes("passkey");
      document.querySelector("[data-next]").hidden = !hasPasskey;
      status.textContent = `Now the code of your second factor${hasPasskey ? ", or sign in with your passkey" : ""}`;
    } else {
      const { field, reason } = error.details;
      status.textContent = reason ? `The ${field.replace("_", " ")} ${reason}` : error.message;
    }
  } catch {
    status.textContent = "The server cannot be reached";
  }
  button.disabled = false;
});
