"use strict";
(() => {
  const { number, counted, columnAt, columnName, tips } = tinyflash;
  const { plans, network } = JSON.parse(document.getElementById("data").textContent);
  tips(plans, network);

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
