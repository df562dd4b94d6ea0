"use strict";
// Draws the charts once the page is readable, paints them in the page's colours, and feeds them news.
(() => {
  const given = JSON.parse(document.getElementById("chart-data").textContent);
  const find = (name) => Bokeh.documents.map((doc) => doc.get_model_by_name(name)).find((model) => model != null);

  function paint() {
    const style = getComputedStyle(document.documentElement);
    for (const [name, properties] of Object.entries(given.paint)) {
      const model = find(name);
      for (const [path, variable] of model ? Object.entries(properties) : []) {
        const parts = path.split("."), last = parts.pop();
        const owner = parts.reduce((item, part) => item[part], model);
        owner.setv({ [last]: style.getPropertyValue(variable).trim() });
      }
    }
  }

  function showMetric() {
    const source = find("source-metric"), columns = given.metrics[document.getElementById("metric").value];
    if (source && columns) source.data = columns;
  }

  function listMetrics(preferred) {
    if (!given.metrics) return;
    const select = document.getElementById("metric"), chosen = select.value || preferred;
    const names = Object.keys(given.metrics).sort();
    select.replaceChildren(...names.map((name) => new Option(name.slice(0, 60), name)));
    if (names.includes(chosen)) select.value = chosen;
  }

  function feed(news) {
    given.metrics = news.metrics;
    for (const [name, columns] of Object.entries(news.data)) {
      const source = find(`source-${name}`);
      if (source && name !== "metric" && JSON.stringify(source.data) !== JSON.stringify(columns)) source.data = columns;
    }
    listMetrics("");
    showMetric();
  }

  const idle = (doc) => new Promise((done) => { if (doc.is_idle) done(); else doc.idle.connect(() => done()); });

  async function draw() {
    for (const [name, item] of Object.entries(given.items)) await Bokeh.embed.embed_item(item, `chart-${name}`);
    paint();
    listMetrics(given.first);
    document.getElementById("metric")?.addEventListener("change", showMetric);
    document.addEventListener("repaint", paint);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", paint);
    document.addEventListener("news", (event) => feed(event.detail));
    await Promise.all(Bokeh.documents.map(idle));
    requestAnimationFrame(() => { document.documentElement.dataset.ready = Math.round(performance.now()); });
  }
  draw();
})();
