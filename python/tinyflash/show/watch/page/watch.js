"use strict";
(() => {
  const { number, counted, tips } = tinyflash;
  const byId = (id) => document.getElementById(id);
  const given = JSON.parse(byId("data").textContent);
  if (Object.keys(given.plans).length) tips(given.plans, given.network);

  const now = {}; // the newest of each section
  const figure = (value) => (value === null || value === undefined ? "–" : value.toLocaleString("en-US", { maximumSignificantDigits: 4 }));
  const percent = (value) => (value === null || value === undefined ? "–" : `${value.toFixed(1)} %`);
  const className = (index) => now.about?.classes[index] ?? String(index);
  const say = (id, text) => { if (byId(id).textContent !== text) byId(id).textContent = text; };
  const tile = (id, text) => { say(id, text); byId(id).parentElement.hidden = false; };
  const reveal = (name) => {
    const part = document.querySelector(`[data-for="${name}"]`);
    part.hidden = false;
    const section = part.closest("section");
    section.hidden = false;
    const shown = [...section.children].filter((child) => !child.hidden);
    for (const child of section.children) child.classList.toggle("alone", shown.length === 1);
  };
  const cell = (row, text, name) => {
    const made = row.insertCell();
    made.textContent = text;
    if (name) made.className = name;
    return made;
  };

  // Rows with a name, a bar and a figure. rows: {name, share, text, kind}.
  const bars = (id, rows) => {
    const body = byId(id);
    while (body.rows.length > rows.length) body.deleteRow(-1);
    while (body.rows.length < rows.length) {
      const row = body.insertRow();
      cell(row, "");
      cell(row, "", "fill").append(document.createElement("div"));
      cell(row, "", "n");
    }
    rows.forEach(({ name, share, text, kind }, i) => {
      const row = body.rows[i];
      row.className = kind;
      row.cells[0].textContent = row.cells[0].title = name;
      row.cells[1].firstChild.style.width = `${100 * Math.min(Math.max(share, 0), 1)}%`;
      row.cells[2].textContent = text;
    });
  };

  const draw = {
    about({ command, title, board, state }) {
      say("title", title);
      say("what", `${command} on ${board === "host" ? "this computer" : board}`);
      showState(state);
    },

    step({ done, of, loss, accuracy, per_second }) {
      tile("done", number(done));
      say("of", of ? `of ${number(of)}` : "so far");
      tile("loss", figure(loss));
      if (accuracy !== null) tile("accuracy", percent(accuracy));
      if (per_second !== null) tile("speed", figure(per_second));
      const share = of ? `${Math.floor((100 * done) / of)} % · ` : "";
      document.title = `${share}${now.about?.title ?? ""} · tinyflash watch`;
    },

    curve() { curves(); },

    scores({ done, score, measure, samples, confusion, what }) {
      const held = what === "held-out samples";
      tile("held", measure === "accuracy" ? percent(score) : figure(score));
      say("held-name", held ? `held-out ${measure}` : `${measure} so far`);
      say("held-what", held ? what : `all ${what}`);
      say("held-note", held ? `${counted(samples, "sample")}, after ${counted(done, "step")}` : what);
      byId("held-legend").hidden = false;
      curves();
      if (confusion) matrix(confusion, `${what[0].toUpperCase()}${what.slice(1)}, after ${number(done)}`);
    },

    layers({ done, layers }) {
      reveal("layers");
      const most = Math.max(...layers.map((l) => l.change), 1e-9);
      const full = layers.filter((l) => l.at_limit > 0.02).length;
      say("layers-text", `Mean distance of a weight from the start, in steps of int8, after ${counted(done, "training step")}.` +
        (full ? ` ${counted(full, "layer")} with more than 2 % of the weights at ±127.` : ""));
      bars("layers", layers.map((l) => ({ name: l.name, share: l.change / most, text: figure(l.change), kind: "moved" })));
    },

    gradients(g) {
      reveal("gradients");
      say("gradients-text", `Exponents of two after ${counted(g.done, "training step")}. Lately ${figure(g.gradients_ppm)} ppm of the elements and ` +
        `${figure(g.weights_ppm)} ppm of the weight updates saturated; ${figure(g.skipped_percent)} % of the updates were skipped.`);
      const low = Math.min(...g.exponents) - 1;
      const high = Math.max(...g.exponents) + 1;
      bars("gradients", g.names.map((name, i) => ({ name, share: (g.exponents[i] - low) / (high - low), text: String(g.exponents[i]), kind: "gradient" })));
    },

    probabilities({ values, text, label }) {
      reveal("probabilities");
      say("probabilities-text", text);
      const best = values.indexOf(Math.max(...values));
      bars("probabilities", values.map((value, i) => ({
        name: className(i), share: value, text: value === null ? "" : `${Math.round(100 * value)} %`,
        kind: `${i === best ? "best" : ""} ${i === label ? "right" : ""}`,
      })));
    },

    signal(signal) {
      reveal("signal");
      say("signal-text", signal.text);
      signal.shape.length === 2 ? lines(signal) : picture(signal);
    },

    teaching(teaching) { lesson(teaching); },

    counters(values) {
      reveal("counters");
      const body = byId("counters");
      body.replaceChildren();
      for (const [name, value] of Object.entries(values)) {
        const row = body.insertRow();
        cell(row, name);
        cell(row, typeof value === "number" ? number(value) : value, "n");
      }
    },

    page(version) { if (version !== given.page) location.reload(); },
  };

  // ---- The signal ----

  const numbers = ({ data, bits }) => {
    const text = atob(data);
    const bytes = Uint8Array.from(text, (c) => c.charCodeAt(0));
    return bits === 8 ? new Int8Array(bytes.buffer) : new Int16Array(bytes.buffer);
  };
  const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const COLORS = ["--a", "--b", "--c", "--d", "--e", "--f"];

  const clean = () => {
    const canvas = byId("signal");
    const ratio = window.devicePixelRatio || 1;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    canvas.width = width * ratio;
    canvas.height = height * ratio;
    const pen = canvas.getContext("2d");
    pen.scale(ratio, ratio);
    return { pen, width, height };
  };

  const lines = (signal) => {
    const [count, channels] = signal.shape;
    const values = numbers(signal);
    const { pen, width, height } = clean();
    const real = (value) => value * signal.scale + signal.offset;
    let [low, high] = [Infinity, -Infinity];
    for (const value of values) { if (value < low) low = value; if (value > high) high = value; }
    if (!(high > low)) { low -= 1; high += 1; }
    pen.font = "12px system-ui, sans-serif";
    pen.lineWidth = 1.4;
    pen.lineJoin = "round";
    for (let c = 0; c < channels; c++) {
      pen.strokeStyle = color(COLORS[c % COLORS.length]);
      pen.beginPath();
      for (let i = 0; i < count; i++) {
        const x = (width * i) / Math.max(1, count - 1);
        const y = 8 + (height - 16) * (1 - (values[i * channels + c] - low) / (high - low));
        i ? pen.lineTo(x, y) : pen.moveTo(x, y);
      }
      pen.stroke();
    }
    pen.fillStyle = color("--soft");
    pen.fillText(`${figure(real(high))} ${signal.unit}`, 2, 13);
    pen.fillText(`${figure(real(low))} ${signal.unit}`, 2, height - 4);
    const length = signal.rate ? `${figure(count / signal.rate)} s` : counted(count, "frame");
    pen.textAlign = "right";
    pen.fillText(length, width - 2, height - 4);
    legend(signal, channels, (c) => figure(real(values[(count - 1) * channels + c])));
  };

  const legend = (signal, channels, last) => {
    const list = byId("channels");
    while (list.children.length > channels) list.lastChild.remove();
    while (list.children.length < channels) {
      const item = document.createElement("li");
      item.append(document.createElement("i"), document.createElement("span"));
      item.firstChild.style.background = `var(${COLORS[list.children.length % COLORS.length]})`;
      list.append(item);
    }
    [...list.children].forEach((item, c) => { item.lastChild.textContent = `${signal.channels[c] ?? `channel ${c}`} ${last(c)}`; });
  };

  const picture = (signal) => {
    const [rows, columns, planes] = signal.shape;
    const values = numbers(signal);
    const image = new ImageData(columns, rows);
    for (let i = 0; i < rows * columns; i++) {
      for (let c = 0; c < 3; c++) image.data[4 * i + c] = values[i * planes + (planes === 3 ? c : 0)] + 128;
      image.data[4 * i + 3] = 255;
    }
    const { pen, width, height } = clean();
    const small = document.createElement("canvas");
    [small.width, small.height] = [columns, rows];
    small.getContext("2d").putImageData(image, 0, 0);
    const unit = Math.min(width / columns, height / rows);
    pen.imageSmoothingEnabled = false;
    pen.drawImage(small, 0, 0, columns * unit, rows * unit);
    legend(signal, 0);
  };

  // ---- The learning curve: panels as in report.html, as wide as the page ----

  const svg = document.querySelector("svg.live");
  const make = (name, attributes, text) => {
    const element = document.createElementNS(svg.namespaceURI, name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    if (text !== undefined) element.textContent = text;
    return element;
  };
  const LEFT = 46;
  const HEIGHT = 150;

  const ticksOf = (low, high) => {
    const rough = (high - low) / 4;
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 2.5, 5, 10].map((n) => n * power).find((s) => s >= rough * 0.999);
    const count = Math.ceil((high - low) / step - 1e-9);
    return Array.from({ length: count + 1 }, (_, i) => low + i * step);
  };

  const panel = (title, steps, line, dots, last, width, top, ends) => {
    const all = [...line, ...dots.map(([, y]) => y)].filter(Number.isFinite);
    const [low, most] = ends ?? [0, Math.max(...all, 0)];
    const ticks = ticksOf(low, most > low ? most : low + 1);
    const high = ticks[ticks.length - 1];
    const x = (step) => LEFT + ((width - LEFT - 8) * step) / last;
    const y = (value) => top + HEIGHT * (1 - (Math.min(Math.max(value ?? 0, low), high) - low) / (high - low));
    const points = (pairs) => pairs.map(([a, b]) => `${x(a).toFixed(1)},${y(b).toFixed(1)}`).join(" ");
    svg.append(make("text", { class: "axis", x: 0, y: top - 14 }, title));
    for (const tick of ticks) {
      svg.append(make("line", { class: "level", x1: LEFT, x2: width - 8, y1: y(tick), y2: y(tick) }));
      svg.append(make("text", { class: "axis", x: LEFT - 6, y: y(tick) + 4, "text-anchor": "end" }, figure(tick)));
    }
    svg.append(make("polyline", { class: "trains", points: points(steps.map((s, i) => [s, line[i]])) }));
    svg.append(make("polyline", { class: "held", points: points(dots) }));
    for (const [a, b] of dots) svg.append(make("circle", { class: "dot", cx: x(a), cy: y(b), r: 3.5 }));
    const newest = dots[dots.length - 1];
    if (newest) svg.append(make("text", { class: "score", x: Math.min(x(newest[0]), width - 24), y: y(newest[1]) - 8, "text-anchor": "middle" }, figure(newest[1])));
  };

  const curves = () => {
    const curve = now.curve ?? { steps: [], loss: [], accuracy: null };
    const held = now.scores?.points ?? [];
    const counts = now.scores?.measure !== "loss";
    reveal("curve");
    const width = Math.max(byId("curves").clientWidth, 240);
    const last = Math.max(now.step?.of || 0, curve.steps.at(-1) ?? 0, held.at(-1)?.[0] ?? 0, 1);
    const panels = [];
    if (curve.accuracy || (counts && held.length)) panels.push(["accuracy, %", curve.accuracy ?? [], counts ? held : [], [0, 100]]);
    if (!counts) panels.push(["held-out loss", [], held, null]);
    panels.push(["training loss", curve.loss, [], null]);
    svg.replaceChildren();
    panels.forEach(([title, line, dots, ends], i) => panel(title, line.length ? curve.steps : [], line, dots, last, width, 28 + i * (HEIGHT + 56), ends));
    const bottom = 28 + panels.length * (HEIGHT + 56) - 34;
    svg.append(make("text", { class: "axis", x: LEFT, y: bottom }, "0"));
    svg.append(make("text", { class: "axis", x: width - 8, y: bottom, "text-anchor": "end" }, `${number(last)} training steps`));
    svg.setAttribute("viewBox", `0 0 ${width} ${bottom + 8}`);
  };

  // ---- Labels that a person gives ----

  // Each press says which question the page showed, so that none answers another one.
  const press = async (what) => {
    try {
      const body = JSON.stringify({ ...what, asked: now.teaching.asked });
      const answer = await fetch(`press${location.search}`, { method: "POST", body, cache: "no-store" });
      if (!answer.ok) say("noted", `not taken: ${(await answer.text()).trim()}`);
    } catch { say("noted", "not taken: the command does not answer"); }
  };
  const canPress = () => Boolean(now.teaching?.takes && now.about?.state === "running" && connected);

  const lesson = ({ counts, text, note, asked, takes }) => {
    reveal("teaching");
    say("teaching-text", takes ? `${text} Keys 1 to 9 do the same, here and in the terminal.`
      : "Labels so far. Give them in the terminal of the command, or on the page of its own option --watch.");
    say("noted", note);
    const list = byId("labels");
    while (list.children.length > counts.length) list.lastChild.remove();
    while (list.children.length < counts.length) {
      const button = document.createElement("button");
      const label = list.children.length;
      button.append(document.createElement("span"), document.createElement("span"));
      button.addEventListener("click", () => press({ label }));
      list.append(button);
    }
    [...list.children].forEach((button, i) => {
      button.firstChild.textContent = className(i);
      button.lastChild.textContent = number(counts[i]);
    });
    byId("question").hidden = !asked || !canPress();
    for (const button of document.querySelectorAll(".presses button")) button.disabled = !canPress();
  };
  byId("yes").addEventListener("click", () => press({ answer: true }));
  byId("no").addEventListener("click", () => press({ answer: false }));
  addEventListener("keydown", ({ key, repeat, ctrlKey, altKey, metaKey }) => {
    if (repeat || ctrlKey || altKey || metaKey || !canPress()) return;
    if (/^[1-9]$/.test(key) && Number(key) <= now.teaching.counts.length) press({ label: Number(key) - 1 });
    else if (/^[yn]$/.test(key) && now.teaching.asked) press({ answer: key === "y" });
  });

  // ---- Confusion ----

  const matrix = (counts, which) => {
    reveal("confusion");
    say("confusion-text", `${which}: the true class by row, the answer by column.`);
    const table = byId("confusion");
    table.classList.toggle("small", counts.length > 12);
    table.classList.toggle("long", counts.length <= 12 && counts.some((_, i) => className(i).length > 5));
    table.replaceChildren();
    const head = table.insertRow();
    const name = (index) => {
      const made = document.createElement("th");
      const shown = document.createElement("span");
      shown.textContent = counts.length > 12 && index !== "" ? index : index === "" ? "" : className(index);
      if (index !== "") made.title = className(index);
      made.append(shown);
      return made;
    };
    head.append(name(""), ...counts.map((_, i) => name(i)));
    counts.forEach((row, i) => {
      const line = table.insertRow();
      const whole = Math.max(row.reduce((a, b) => a + b, 0), 1);
      line.append(name(i));
      row.forEach((count, j) => {
        const made = cell(line, count ? number(count) : "·");
        const hue = i === j ? "--good" : "--bad";
        made.style.background = count ? `color-mix(in srgb, var(${hue}) ${Math.round(12 + (68 * count) / whole)}%, transparent)` : "";
      });
    });
  };

  // ---- News ----

  const WORDS = { running: "running", finished: "finished", stopped: "stopped", failed: "failed", lost: "connection lost; trying again", silent: "no news; the command may have died" };
  const showState = (state) => {
    say("state", WORDS[state] ?? state);
    byId("state").className = `state ${state}`;
    connected = state !== "lost";
    if (now.teaching) changed.add("teaching"), ask();
  };

  const changed = new Set();
  let connected = true;
  let updates = 0;
  let drawing = false;
  const times = [];
  const paint = () => {
    drawing = false;
    for (const name of Object.keys(draw)) if (changed.has(name)) draw[name](now[name]);
    changed.clear();
    const rate = times.length > 1 ? ((times.length - 1) * 1000) / (times.at(-1) - times[0]) : 0;
    say("updates", `${counted(updates, "update")}, ${figure(rate)} a second.`);
    document.documentElement.dataset.updates = updates;
  };
  function ask() { if (!drawing) { drawing = true; requestAnimationFrame(paint); } }

  const source = new EventSource(`events${location.search}`);
  source.onmessage = (event) => {
    for (const [name, section] of Object.entries(JSON.parse(event.data))) {
      now[name] = section;
      changed.add(name);
      if (name === "step" && changed.size && now.curve && now.curve.steps.length === 0) changed.add("curve");
    }
    updates += 1;
    times.push(performance.now());
    if (times.length > 60) times.shift();
    ask();
  };
  source.onopen = () => { if (now.about) showState(now.about.state); };
  source.onerror = () => {
    if (now.about && now.about.state !== "running") source.close();
    else showState("lost");
  };
  addEventListener("resize", () => { for (const name of ["curve", "signal"]) if (now[name]) changed.add(name); ask(); });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { if (now.signal) changed.add("signal"); ask(); });
})();
