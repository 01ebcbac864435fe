"use strict";
// What the pages of tinyflash share: figures as text, and what a drawing says under the pointer.
const tinyflash = (() => {
  const number = (n) => n.toLocaleString("en-US");
  const counted = (n, noun) => `${number(n)} ${noun}${n === 1 ? "" : "s"}`;
  const shape = (dims) => (dims[0] === 1 ? dims.slice(1) : dims).join("×");
  const columnAt = (plan, call) =>
    plan.columns.find((c) => c.first <= Math.max(call, 0) && call <= c.last) || plan.columns[plan.columns.length - 1];
  const columnName = (c) =>
    c.nodes.length === 1 ? `${c.operations[0]} ${c.nodes[0]}` : `streamed ${c.nodes[0]} … ${c.nodes[c.nodes.length - 1]}`;

  const tips = (plans, network) => {
    const tip = document.getElementById("tip");
    const planOf = (element) => plans[element.closest("[data-plan]").dataset.plan];

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
    const kinds = { input: "input", activation: "activation", kept: "input kept for an update", mask: "clip mask", gradient: "gradient", target: "target", scratch: "scratch of a kernel" };

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
  };
  return { number, counted, columnAt, columnName, tips };
})();
