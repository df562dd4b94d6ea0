"use strict";
// Filters, theme, time line and refresh. Works before, and without, the charts; touches text through textContent only.
const $ = (id) => document.getElementById(id);
const PAGE = 50;
const state = { limit: PAGE, digests: {}, active: null };

const wanted = () => ({
  words: $("filter-text").value.toLowerCase().split(/\s+/).filter(Boolean),
  backend: $("filter-backend").value,
  tones: new Set([...document.querySelectorAll("input[name=tone]:checked")].map((box) => box.value)),
});

function matches(row, filter, isSession) {
  const known = !isSession || (filter.tones.has(row.dataset.tone) && (!filter.backend || row.dataset.backend === filter.backend));
  row.words ??= row.textContent.toLowerCase() + " " + [...row.querySelectorAll("bdi[title]")].map((item) => item.title.toLowerCase()).join(" ");
  return known && filter.words.every((word) => row.words.includes(word));
}

// A thousand rows would carry these words a thousand times; a row gets them when it is shown first.
function labelRow(row) {
  if (row.labelled) return;
  row.labelled = true;
  row.setAttribute("role", "row");
  const titles = row.closest("table").tHead.rows[0].cells;
  [...row.cells].forEach((cell, at) => {
    cell.setAttribute("role", cell.tagName === "TH" ? "rowheader" : "cell");
    cell.dataset.label = titles[at].textContent;
  });
}

function applyFilters() {
  const filter = wanted();
  const rows = [...document.querySelectorAll("#sessions-table [data-row]")];
  const found = new Set();
  let shown = 0;
  for (const row of rows) {
    const fits = matches(row, filter, true);
    if (fits) { found.add(row.id.slice("session-".length)); shown += 1; }
    row.hidden = !fits || shown > state.limit;
    if (!row.hidden) labelRow(row);
  }
  for (const bar of document.querySelectorAll("#timeline .bar")) bar.classList.toggle("dim", !found.has(bar.dataset.number));
  const checkpoints = [...document.querySelectorAll("#checkpoints-table [data-row]")];
  for (const row of checkpoints) row.hidden = !matches(row, filter, false);
  const kept = checkpoints.filter((row) => !row.hidden).length;
  $("filter-count").textContent = `${found.size} of ${rows.length} session(s), ${kept} of ${checkpoints.length} checkpoint(s)`;
  $("more").hidden = found.size <= state.limit;
  $("more").textContent = `Show ${Math.min(200, found.size - state.limit)} more of ${found.size}`;
}

function listBackends() {
  const select = $("filter-backend"), chosen = select.value;
  const names = [...new Set([...document.querySelectorAll("#sessions-table [data-row]")].map((row) => row.dataset.backend))].sort();
  select.replaceChildren(new Option("all", ""), ...names.map((name) => new Option(name.slice(0, 60), name)));
  select.value = names.includes(chosen) ? chosen : "";
}

function revealSession(number) {
  const row = $(`session-${number}`);
  if (!row) return;
  if (row.hidden) {
    const before = [...document.querySelectorAll("#sessions-table [data-row]")].indexOf(row);
    for (const box of document.querySelectorAll("input[name=tone]")) box.checked = true;
    $("filter-text").value = ""; $("filter-backend").value = "";
    state.limit = Math.max(state.limit, before + 1);
    applyFilters();
  }
  for (const other of document.querySelectorAll("tr.here")) other.classList.remove("here");
  row.classList.add("here");
  row.tabIndex = -1;
  row.focus({ preventScroll: true });
  row.scrollIntoView({ block: "center" });
}

function chooseBar(bar) {
  document.querySelector("#timeline .here")?.classList.remove("here");
  bar.classList.add("here");
  state.active = bar.dataset.number;
  $("timeline-now").textContent = bar.querySelector("title").textContent;
}

function walkTimeline(event) {
  const bars = [...document.querySelectorAll("#timeline .bar:not(.dim)")];
  if (!bars.length) return;
  const at = bars.findIndex((bar) => bar.dataset.number === state.active);
  const goals = { ArrowRight: Math.min(bars.length - 1, at + 1), ArrowLeft: at < 0 ? bars.length - 1 : Math.max(0, at - 1), Home: 0, End: bars.length - 1 };
  if (event.key in goals) { chooseBar(bars[goals[event.key]]); event.preventDefault(); }
  if (event.key === "Enter" && at >= 0) { revealSession(state.active); event.preventDefault(); }
}

function dark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  try { localStorage.setItem("validation-ch7-theme", theme); } catch { /* a page from disk may have no storage */ }
  document.dispatchEvent(new Event("repaint"));
}

async function copyFrom(button) {
  const text = $(button.dataset.copy).textContent;
  try { await navigator.clipboard.writeText(text); button.textContent = "Copied"; }
  catch { getSelection().selectAllChildren($(button.dataset.copy)); button.textContent = "Selected"; }
  setTimeout(() => { button.textContent = "Copy"; }, 1500);
}

function replacePart(name, html) {
  const part = $(`part-${name}`);
  const focused = part.contains(document.activeElement) ? document.activeElement.id : "";
  const open = [...part.querySelectorAll("details[open]")].map((item) => item.id);
  const log = part.querySelector("pre");
  const followed = log && log.scrollTop + log.clientHeight >= log.scrollHeight - 8, at = log?.scrollTop;
  part.innerHTML = html; // made by the same templates as this page, where every text was escaped
  for (const id of open) if ($(id)) $(id).open = true;
  const fresh = part.querySelector("pre");
  if (fresh) fresh.scrollTop = followed ? fresh.scrollHeight : at ?? 0;
  if (focused) $(focused)?.focus({ preventScroll: true });
}

function showNews(news) {
  for (const [name, part] of Object.entries(news.parts)) {
    if (state.digests[name] === part.digest) continue;
    state.digests[name] = part.digest;
    replacePart(name, part.html);
  }
  listBackends();
  applyFilters();
  const bar = state.active && document.querySelector(`#timeline .bar[data-number="${CSS.escape(state.active)}"]`);
  if (bar) bar.classList.add("here");
  $("written").textContent = news.written.slice(0, 19).replace("T", " ");
  document.dispatchEvent(new CustomEvent("news", { detail: news }));
}

async function follow(seconds) {
  const answer = await fetch("news").catch(() => null);
  if (answer?.ok) showNews(await answer.json());
  $("live").textContent = answer?.ok ? `Refreshed every ${seconds} s.` : "The server has stopped; this is the last state it told.";
  setTimeout(() => follow(seconds), 1000 * (document.hidden ? 5 * seconds : seconds));
}

function begin() {
  try { const theme = localStorage.getItem("validation-ch7-theme"); if (theme) document.documentElement.dataset.theme = theme; } catch { /* none */ }
  $("theme").addEventListener("click", () => setTheme(dark() ? "light" : "dark"));
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-copy]"), bar = event.target.closest("#timeline .bar");
    if (button) copyFrom(button);
    if (bar) { chooseBar(bar); revealSession(bar.dataset.number); }
  });
  if ($("filters")) beginFilters();
  document.documentElement.dataset.usable = Math.round(performance.now());
  const seconds = Number(document.documentElement.dataset.refresh);
  if (seconds > 0) setTimeout(() => follow(seconds), 1000 * seconds);
}

function beginFilters() {
  $("filters").addEventListener("submit", (event) => event.preventDefault());
  $("filters").addEventListener("input", () => { state.limit = PAGE; applyFilters(); });
  $("more").addEventListener("click", () => { state.limit += 200; applyFilters(); });
  document.addEventListener("keydown", (event) => { if (event.target.id === "timeline") walkTimeline(event); });
  const log = document.querySelector("#part-log pre");
  if (log) log.scrollTop = log.scrollHeight;
  listBackends();
  applyFilters();
}
begin();
