// Dresses the viewer for the time of day, and has it send the CSRF token along as a page of ours would.
"use strict";

const ui = document.getElementById("ui");
const night = matchMedia("(prefers-color-scheme: dark)");

function csrfToken() {
  const pair = document.cookie.split("; ").find((cookie) => /^(__Host-|__Secure-)?csrf_access_token=/.test(cookie));
  return pair && pair.slice(pair.indexOf("=") + 1);
}

function dress() {
  ui.setAttribute("theme", night.matches ? "dark" : "light");
}

dress();
night.addEventListener("change", dress);
ui.addEventListener("before-try", (event) => {
  const { request } = event.detail;
  const token = csrfToken();
  if (token && !["GET", "HEAD"].includes(request.method)) {
    request.headers.append("X-CSRF-Token", token);
  }
});
