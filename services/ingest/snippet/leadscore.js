/* Leadscore: page views, identify, track and form submits of one website, sent to your own server.
   <script>window.leadscore = window.leadscore || []</script>
   <script async src="https://events.example.com/leadscore.js" data-key="WRITE_KEY"></script>
   data-consent="ask": as without consent, until leadscore.push(["consent", true])
   data-fields="email,company": form fields to read; data-auto="off": no page views by themselves
   No consent, or Global Privacy Control: nothing is stored, and only what names a person is sent. */
(function (w, d, n) {
  "use strict";
  var tag = d.currentScript || d.querySelector("script[data-key][src*='leadscore']");
  if (!tag || (w.leadscore && w.leadscore.version)) return;
  var opt = tag.dataset, key = opt.key, base = opt.endpoint || new URL(tag.src).origin;
  var FIELDS = (opt.fields || "email,name,first_name,last_name,company,title,job_title,country").split(",");
  var NEVER = /^(password|hidden|file|submit|button|image|reset)$/, YEAR_S = 31536000, MAX = 50, CHUNK = 20;
  var gpc = n.globalPrivacyControl === true, given = opt.consent === "ask" ? null : true;
  var queue = [], user = null, anon = null, timer = 0, flying = [], fails = 0, last = "", before = d.referrer;

  function allowed() { /* purposes count as consent when one of them is granted */
    return !gpc && (given && typeof given === "object" ? Object.values(given).some(Boolean) : !!given);
  }
  function uuid() {
    return w.crypto.randomUUID ? w.crypto.randomUUID() : "10000000-1000-4000-8000-100000000000".replace(
      /[018]/g, function (c) { return (c ^ w.crypto.getRandomValues(new Uint8Array(1))[0] & 15 >> c / 4).toString(16); });
  }
  function keep(name, value) { /* private windows throw */
    try { if (value === null) w.localStorage.removeItem(name); else if (allowed()) w.localStorage.setItem(name, value); } catch (e) {}
  }
  function kept(name) { try { return allowed() ? w.localStorage.getItem(name) : null; } catch (e) { return null; } }
  function cookie(id, age) {
    d.cookie = "leadscore_id=" + id + ";path=/;max-age=" + age + ";samesite=lax" + (w.location.protocol === "https:" ? ";secure" : "");
  }
  function remember() {
    var found = /(?:^|; )leadscore_id=([\w-]+)/.exec(d.cookie);
    anon = (found && found[1]) || kept("leadscore_id") || anon || uuid();
    user = user || kept("leadscore_user");
    cookie(anon, YEAR_S);
    keep("leadscore_id", anon);
    try { queue = JSON.parse(kept("leadscore_queue") || "[]").concat(queue); } catch (e) {}
  }
  function forget() {
    cookie("", 0);
    ["leadscore_id", "leadscore_user", "leadscore_queue"].forEach(function (name) { keep(name, null); });
    user = anon = null;
    queue = [];
  }
  function add(event) {
    var context = event.context = Object.assign({
      page: { url: w.location.href, path: w.location.pathname, title: d.title, referrer: before },
      locale: n.language, library: { name: "leadscore.js", version: api.version }
    }, event.context);
    try { context.timezone = Intl.DateTimeFormat().resolvedOptions().timeZone; } catch (e) {}
    if (n.webdriver) context.webdriver = true;
    if (given && typeof given === "object") context.consent = given;
    if (user) event.userId = user;
    if (allowed()) event.anonymousId = anon;
    if (!event.anonymousId && !event.userId && !(context.traits || event.traits || {}).email) return;
    event.messageId = uuid();
    event.timestamp = new Date().toISOString();
    queue = queue.concat(event).slice(-MAX);
    keep("leadscore_queue", JSON.stringify(queue));
    later(50);
  }
  function later(ms) { w.clearTimeout(timer); timer = w.setTimeout(flush, ms); }
  function body(events) { return JSON.stringify({ writeKey: key, sentAt: new Date().toISOString(), batch: events }); }
  function done(events) {
    queue = queue.filter(function (event) { return events.indexOf(event) < 0; });
    keep("leadscore_queue", JSON.stringify(queue));
  }
  function again(wait_s) {
    fails += 1;
    later(1000 * (wait_s || Math.min(60, Math.pow(2, fails))));
  }
  function flush() {
    if (flying.length || !queue.length) return;
    var events = queue.slice(0, CHUNK), text = body(events);
    flying = events;
    /* text/plain with the key in the body: no preflight. What is sent twice counts once, by messageId. */
    w.fetch(base + "/v1/b", { method: "POST", body: text, credentials: "omit", keepalive: text.length < 2e4,
      headers: { "Content-Type": "text/plain" } }).then(function (answer) {
      flying = [];
      if (answer.status === 408 || answer.status === 429 || answer.status >= 500) return again(parseInt(answer.headers.get("Retry-After"), 10));
      fails = 0;
      done(events);
      if (queue.length) later(0);
    }, function () { flying = []; again(); });
  }
  function leave() {
    var events = queue.filter(function (event) { return flying.indexOf(event) < 0; }).slice(-CHUNK);
    /* true says that the browser will try; after a failure the next page sends them once more. */
    if (events.length && n.sendBeacon && n.sendBeacon(base + "/v1/b", body(events)) && !fails) done(events);
  }
  function page(properties) {
    last = w.location.pathname + w.location.search;
    add({ type: "page", properties: properties || {} });
    before = w.location.href;
  }
  function moved() { if (last !== w.location.pathname + w.location.search) page(); }
  function value(form, name) {
    var field = form.elements.namedItem(name);
    if (!field || !field.value || NEVER.test(field.type) || /^cc-/.test(field.autocomplete || "")) return;
    return String(field.value).slice(0, 500);
  }
  function hide(form, name, text) {
    if (!text || form.elements.namedItem(name)) return;
    form.appendChild(Object.assign(d.createElement("input"), { type: "hidden", name: name, value: text }));
  }
  function submitted(event) {
    var form = event.target, traits = {};
    if (!form || !form.elements || form.getAttribute("data-leadscore") === "off") return;
    if (String(form.action).indexOf(base + "/v1/forms/") === 0) { /* ingest hears of it from the form itself */
      if (allowed()) hide(form, "anonymous_id", anon);
      hide(form, "page_url", w.location.href);
      return hide(form, "referrer", before);
    }
    if (form.querySelector("input[type=password]")) return;
    FIELDS.forEach(function (name) { var v = value(form, name.trim()); if (v) traits[name.trim()] = v; });
    if (!traits.email) return;
    add({ type: "track", event: "form.submitted", context: { traits: traits },
      properties: { form: form.getAttribute("data-leadscore-form") || form.getAttribute("name") || form.id || "form" } });
    flush();
  }
  var api = {
    version: "1",
    page: page,
    track: function (name, properties) { add({ type: "track", event: name, properties: properties || {} }); },
    identify: function (id, traits) {
      if (id && typeof id === "object") { traits = id; id = null; }
      if (id) { user = String(id); keep("leadscore_user", user); }
      add({ type: "identify", traits: traits || {} });
    },
    consent: function (answer) {
      given = answer;
      if (!allowed()) return forget();
      remember();
      if (opt.auto !== "off" && !last) page();
      if (queue.length) later(50);
    },
    reset: function () { /* what the last visitor did is theirs, and still to be sent */
      var rest = queue;
      forget();
      if (allowed()) remember();
      queue = rest;
      keep("leadscore_queue", JSON.stringify(queue));
      if (rest.length) later(0);
    },
    push: function (call) { var name = call[0]; if (typeof api[name] === "function") api[name].apply(null, call.slice(1)); }
  };
  var stub = w.leadscore;
  w.leadscore = api;
  if (allowed()) remember();
  if (Array.isArray(stub)) stub.forEach(api.push);
  if (opt.auto !== "off") {
    if (allowed() && !last) page();
    ["pushState", "replaceState"].forEach(function (name) {
      var original = w.history[name];
      w.history[name] = function () { var result = original.apply(this, arguments); moved(); return result; };
    });
    w.addEventListener("popstate", moved);
  }
  d.addEventListener("submit", submitted, true);
  w.addEventListener("pagehide", leave);
  d.addEventListener("visibilitychange", function () { if (d.visibilityState === "hidden") leave(); });
  if (queue.length) later(50);
})(window, document, navigator);
