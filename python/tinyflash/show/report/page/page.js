"use strict";
(() => {
  const { plans, network } = JSON.parse(document.getElementById("data").textContent);
  const tip = document.getElementById("tip");
  const number = (n) => n.toLocaleString("en-US");
  const counted = (n, noun) => `${number(n)} ${noun}${n === 1 ? "" : "s"}`;
  const shape = (dims) => (dims[0] === 1 ? dims.slice(1) : dims).join("×");
  const planOf = (element) => plans[element.closest("[data-plan]").dataset.plan];

  const columnAt = (plan, call) =>
    plan.columns.find((c) => c.first <= Math.max(call, 0) && call <= c.last) || plan.columns[plan.columns.length - 1];
  const columnName = (c) =>
    c.nodes.length === 1 ? `${c.operations[0]} ${c.nodes[0]}` : `streamed ${c.nodes[0]} … ${c.nodes[c.nodes.length - 1]}`;

  // Describes the element under the pointer, as lines of text; the first is the title.
  const lines = {
    b(index, element) {
      const plan = planOf(element);
      const b = plan.buffers[index];
      const ring = b.ring_rows === null ? "" : `, ring of ${counted(b.ring_rows, "row")}, whole ${number(b.whole_bytes)}`;
      const from = b.first < 0 ? "before the start" : columnName(columnAt(plan, b.first));
      const read = b.read_by.length > 3 ? `${b.read_by.slice(0, 3).join(", ")} and ${b.read_by.length - 3} more` : b.read_by.join(", ");
      return [b.name, `${kinds[b.kind]}, ${shape(b.shape)}: ${number(b.bytes)} bytes at ${number(b.offset)}${ring}`,
        b.made_by ? `made by ${b.made_by}` : "given by the caller", read && `read by ${read}`,
        `lives from ${from} to ${columnName(columnAt(plan, b.last))}`,
        b.shared_with.length && `also holds ${b.shared_with.join(", ")}`];
    },
    c(index, element) {
      const c = planOf(element).columns[index];
      const calls = c.last + 1 - c.first;
      return [columnName(c), `${number(c.filled)} bytes in use`, calls > 1 && `${number(calls)} calls, row by row`];
    },
    l(index) {
      const l = network[index];
      const share = l.trained_channels ? `trains ${l.trained_channels} of ${counted(l.channels, "channel")}` : "weights frozen";
      return [l.layer, `${l.operation}, ${shape(l.output)}, ${number(l.macs)} multiply-adds`, `${number(l.weight_bytes)} bytes of weights: ${share}`,
        l.trains_bias ? "bias trained" : "bias frozen", l.trained_bytes && `${number(l.trained_bytes)} bytes trained`,
        l.reached ? "the gradient comes here" : "no gradient comes here"];
    },
  };
  const kinds = { input: "input", activation: "activation", kept: "input kept for an update", mask: "clip mask", gradient: "gradient", target: "target" };

  const show = (event) => {
    const element = event.target.closest("[data-b],[data-c],[data-l]");
    tip.hidden = !element;
    if (!element) return;
    const [kind, index] = Object.entries(element.dataset).find(([key]) => key in lines);
    tip.replaceChildren(...lines[kind](Number(index), element).filter(Boolean).map((text, i) => {
      const line = document.createElement(i ? "div" : "b");
      line.textContent = text;
      return line;
    }));
    const box = tip.getBoundingClientRect();
    const right = event.clientX + 16 + box.width > innerWidth;
    const low = event.clientY + 16 + box.height > innerHeight;
    tip.style.left = `${Math.max(4, right ? event.clientX - box.width - 12 : event.clientX + 16)}px`;
    tip.style.top = `${Math.max(4, low ? event.clientY - box.height - 12 : event.clientY + 16)}px`;
  };
  document.addEventListener("pointermove", show);
  document.addEventListener("pointerdown", show);
  document.addEventListener("scroll", () => { tip.hidden = true; }, true);

  // The list of live buffers, for any call.
  const listAlive = (plan, call, title) => {
    const rows = plan.buffers.filter((b) => b.first <= call && call <= b.last).sort((a, b) => b.bytes - a.bytes);
    document.getElementById("where").textContent = title;
    const inUse = plan.filled.filter(([from]) => from <= call).at(-1)[1];
    const shared = rows.reduce((sum, b) => sum + b.bytes, 0) - inUse;
    document.getElementById("sum").textContent = `${counted(rows.length, "buffer")}: ${number(inUse)} bytes in use of ` +
      `${number(plan.arena_bytes)} reserved` + (shared ? `; ${number(shared)} bytes are shared by two buffers.` : ".");
    document.querySelector("#alive tbody").replaceChildren(...rows.map((b) => {
      const row = document.createElement("tr");
      row.innerHTML = `<td><i class="k-${b.kind}"></i></td><td></td><td class="n">${number(b.bytes)}</td><td class="share"><div class="k-${b.kind}" style="width:${100 * b.bytes / plan.arena_bytes}%"></div></td>`;
      row.children[1].textContent = b.name;
      return row;
    }));
  };
  const select = (svg, index) => {
    svg.querySelectorAll(".bands .on").forEach((band) => band.classList.remove("on"));
    svg.querySelector(`[data-c="${index}"]`).classList.add("on");
  };
  const goTo = (svg, call) => {
    const plan = plans[svg.dataset.plan];
    const column = columnAt(plan, call);
    select(svg, plan.columns.indexOf(column));
    listAlive(plan, call, columnName(column));
  };
  for (const svg of document.querySelectorAll("svg.map")) {
    svg.addEventListener("click", (event) => {
      const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
      const bands = [...svg.querySelectorAll("[data-c]")];
      const band = bands.find((b) => point.x < b.x.baseVal.value + b.width.baseVal.value) || bands[bands.length - 1];
      const column = plans[svg.dataset.plan].columns[Number(band.dataset.c)];
      const share = Math.min(Math.max((point.x - band.x.baseVal.value) / band.width.baseVal.value, 0), 0.999);
      goTo(svg, column.first + Math.floor(share * (column.last + 1 - column.first)));
    });
  }

  for (const tab of document.querySelectorAll("[data-tab]")) {
    tab.addEventListener("click", () => {
      document.querySelectorAll("[data-tab]").forEach((t) => t.setAttribute("aria-selected", t === tab));
      document.querySelectorAll("[data-panel]").forEach((p) => { p.hidden = p.dataset.panel !== tab.dataset.tab; });
    });
  }

  // The table of operations: a click on a column's head sorts it; text and phase filter it.
  const table = document.getElementById("operations");
  const body = table.tBodies[0];
  const value = (row, column) => row.cells[column].dataset.v ?? row.cells[column].textContent;
  for (const head of table.querySelectorAll("[data-sort]")) {
    head.addEventListener("click", () => {
      const down = head.classList.contains("up") || (head.dataset.sort === "n" && !head.classList.contains("down"));
      table.querySelectorAll("th").forEach((th) => th.classList.remove("up", "down"));
      head.classList.add(down ? "down" : "up");
      const order = (a, b) => (head.dataset.sort === "n" ? a - b : a.localeCompare(b));
      const sorted = [...body.rows].sort((a, b) => order(value(a, head.cellIndex), value(b, head.cellIndex)));
      body.append(...(down ? sorted.reverse() : sorted));
    });
  }
  const filter = () => {
    const text = document.getElementById("filter").value.toLowerCase();
    const phases = [...document.querySelectorAll("input[data-phase]")].filter((box) => !box.checked).map((box) => box.dataset.phase);
    let shown = 0;
    for (const row of body.rows) {
      row.hidden = phases.includes(row.dataset.phase) || !row.textContent.toLowerCase().includes(text);
      shown += !row.hidden;
    }
    document.getElementById("count").textContent = `${shown} of ${body.rows.length}`;
  };
  document.querySelectorAll("#filter,input[data-phase]").forEach((element) => element.addEventListener("input", filter));
  filter();
  body.addEventListener("click", (event) => {
    const svg = document.querySelector(`svg[data-plan="${"train" in plans ? "train" : "infer"}"]`);
    document.querySelector(`[data-tab="${svg.dataset.plan}"]`)?.click();
    goTo(svg, Number(event.target.closest("tr").dataset.call));
    document.getElementById("map").scrollIntoView({ behavior: "smooth" });
  });
})();
