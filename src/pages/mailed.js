// Reads the token behind the # of a mailed link into the form, and takes it out of the address.
"use strict";
const field = document.getElementById("token");
const token = new URLSearchParams(location.hash.slice(1)).get("token");
if (token) {
  field.value = token;
  field.closest(".field").hidden = true;
  history.replaceState(null, "", location.pathname);
  document.querySelector("input[type=password]")?.focus();
}
// Another link that is opened in this tab changes what is behind the # alone: the page begins anew with it.
addEventListener("hashchange", () => location.reload());
