// Starts the viewer on this server's own document, and sends the CSRF token along as a page of ours would.
"use strict";

function csrfToken() {
  const pair = document.cookie.split("; ").find((cookie) => /^(__Host-|__Secure-)?csrf_access_token=/.test(cookie));
  return pair && pair.slice(pair.indexOf("=") + 1);
}

window.SwaggerUIBundle({
  dom_id: "#ui",
  url: "openapi.json",
  deepLinking: true,
  requestInterceptor: (request) => {
    const token = csrfToken();
    if (token && !["GET", "HEAD"].includes(request.method)) {
      request.headers["X-CSRF-Token"] = token;
    }
    return request;
  },
});
