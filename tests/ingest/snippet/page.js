/* A page without a browser: runs the snippet in node's vm and prints, as JSON, what it sent and stored.
   In (argv): the snippet's path, and a scenario as JSON: {tag, nav, before, steps, answers, stored}.
   Each step is a JavaScript expression evaluated in the page; after each one timers run until none is due. */
"use strict";
const fs = require("node:fs"), vm = require("node:vm");
const [path, text] = process.argv.slice(2), scenario = JSON.parse(text);

const listeners = {}, timers = [], sent = [], storage = new Map(Object.entries(scenario.stored || {}));
const answers = scenario.answers || [], jar = new Map();
let now_ms = 0, timerId = 0;
const listen = (name, call) => (listeners[name] = listeners[name] || []).push(call);
const storageApi = {
  getItem: (key) => (storage.has(key) ? storage.get(key) : null),
  setItem: (key, value) => storage.set(key, String(value)),
  removeItem: (key) => storage.delete(key),
};
const location = new URL("https://www.shop.example/start?utm_source=google");
const place = { get href() { return location.href; }, get pathname() { return location.pathname; },
  get search() { return location.search; }, get protocol() { return location.protocol; } };
const document = {
  referrer: "https://www.google.com/", title: "Shop", visibilityState: "visible", addEventListener: listen,
  currentScript: { src: "https://events.shop.example/leadscore.js", dataset: { key: "website-key", ...scenario.tag } },
  createElement: () => ({}),
  get cookie() { return [...jar].map(([name, value]) => `${name}=${value}`).join("; "); },
  set cookie(line) {
    const [pair, ...flags] = line.split(";"), [name, value] = pair.split("=");
    if (flags.includes("max-age=0")) jar.delete(name); else jar.set(name, value);
  },
};
const navigator = { language: "de-DE", ...scenario.nav,
  sendBeacon: (url, body) => { sent.push({ via: "beacon", url, body: JSON.parse(body) }); return true; } };
const window = {
  crypto, localStorage: storageApi, location: place, addEventListener: listen, leadscore: scenario.before,
  history: { pushState: (_s, _t, url) => { location.href = new URL(url, location.href).href; }, replaceState: () => {} },
  setTimeout: (call, ms) => { timers.push({ id: ++timerId, at: now_ms + ms, call }); return timerId; },
  clearTimeout: (id) => { const at = timers.findIndex((timer) => timer.id === id); if (at >= 0) timers.splice(at, 1); },
  fetch: (url, options) => {
    sent.push({ via: "fetch", url, at_ms: now_ms, type: options.headers["Content-Type"], keepalive: options.keepalive, body: JSON.parse(options.body) });
    const answer = answers.length ? answers.shift() : { status: 200 };
    if (answer.status === "never") return new Promise(() => {});
    if (answer.status === 0) return Promise.reject(new TypeError("network"));
    return Promise.resolve({ status: answer.status, headers: { get: () => answer.retryAfter ?? null } });
  },
};
const context = vm.createContext({
  window, document, navigator, URL, Intl, Uint8Array,
  go: (url) => window.history.pushState(null, "", url),
  fire: (name, event) => (listeners[name] || []).forEach((call) => call(event || {})),
  form: (fields, attributes = {}, types = {}) => {
    const elements = Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, { value, type: types[name] || "text" }]));
    return { action: "https://www.shop.example/x", id: "", ...attributes.own, added: [],
      elements: { namedItem: (name) => elements[name] || null },
      getAttribute: (name) => attributes[name] ?? null,
      appendChild(input) { this.added.push([input.name, input.value]); elements[input.name] = input; },
      querySelector: () => (Object.values(types).includes("password") ? {} : null) };
  },
});

async function settle() {
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
}
async function run(until_ms) { /* timers due by then, in order, each with its promises */
  for (;;) {
    await settle();
    const due = timers.filter((timer) => timer.at <= until_ms).sort((a, b) => a.at - b.at)[0];
    if (!due) break;
    timers.splice(timers.indexOf(due), 1);
    now_ms = Math.max(now_ms, due.at);
    due.call();
  }
  now_ms = Math.max(now_ms, until_ms);
}
(async () => {
  vm.runInContext(fs.readFileSync(path, "utf8"), context, { filename: path });
  await run(now_ms + 100);
  const results = [];
  for (const step of scenario.steps || []) {
    if (typeof step === "number") await run(now_ms + step);
    else { results.push(vm.runInContext(step, context) ?? null); await run(now_ms + 100); }
  }
  const clean = (value) => JSON.parse(JSON.stringify(value, (key, inner) => (typeof inner === "function" ? undefined : inner)));
  process.stdout.write(JSON.stringify({ sent, storage: Object.fromEntries(storage), cookies: document.cookie, results: clean(results) }));
})();
