// Fetches the description with a credential that is typed in, and shows it with the library that the page has loaded.
"use strict";

const form = document.getElementById("sign-in");
const problem = document.getElementById("problem");

// The answer's body; an error's own sentence is thrown.
async function ask(path, options) {
  const answer = await fetch(path, { ...options, credentials: "omit", cache: "no-store" });
  const body = await answer.json();
  if (!answer.ok) throw new Error(body.error.message);
  return body;
}

async function logIn(username, password) {
  const session = await ask("api/v1/auth/login", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ username, password }),
  });
  return session.token;
}

function show(description, token) {
  const place = document.getElementById("description");
  if (globalThis.SwaggerUIBundle === undefined) {
    // The search would need a worker made of text, which the page's policy does not allow.
    Redoc.init(description, { disableSearch: true, hideDownloadButton: true }, place);
    return;
  }
  const page = SwaggerUIBundle({
    spec: description,
    domNode: place,
    validatorUrl: null, // else a server of others is asked
    onComplete: () => page.preauthorizeApiKey("bearer", token),
  });
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  problem.textContent = "";
  const [key, username, password] = ["key", "username", "password"].map((id) => document.getElementById(id).value);
  try {
    const token = key || (await logIn(username, password));
    const description = await ask("openapi.json", { headers: { Authorization: `Bearer ${token}` } });
    form.reset();
    form.hidden = true;
    show(description, token);
  } catch (error) {
    problem.textContent = error.message;
  }
});
