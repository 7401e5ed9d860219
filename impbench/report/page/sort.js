"use strict";
// Sort a table by a column: best first on the first click, reversed on the second. Cells without a
// value stay last.
const valueOf = (row, column) => row.cells[column].dataset.sort;
const sortTable = (head, descending) => {
  const body = head.closest("table").tBodies[0];
  const column = head.cellIndex;
  const byName = head.dataset.type === "text";
  const compare = (a, b) => {
    const x = valueOf(a, column), y = valueOf(b, column);
    if (x === undefined || y === undefined) return (x === undefined) - (y === undefined);
    const order = byName ? x.localeCompare(y) : Number(x) - Number(y);
    return descending ? -order : order;
  };
  for (const other of head.parentElement.cells) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", descending ? "descending" : "ascending");
  body.append(...[...body.rows].sort(compare));
};
// Plain tables are sorted as they read: by number where every cell begins with one.
for (const table of document.querySelectorAll("table.plain")) {
  const rows = [...table.tBodies[0].rows];
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    const texts = rows.map((row) => row.cells[column].textContent.trim());
    const numbers = texts.map((text) => parseFloat(text.replace("−", "-").replace(/^[<=] /, "")));
    const text = rows[0]?.cells[column].tagName === "TH" || texts.some((text, i) => text !== "—" && Number.isNaN(numbers[i]));
    if (text) head.dataset.type = "text";
    rows.forEach((row, i) => {
      if (texts[i] !== "—") row.cells[column].dataset.sort = text ? texts[i] : numbers[i];
    });
    const button = document.createElement("button");
    button.type = "button";
    button.className = "sort";
    button.append(...head.childNodes);
    head.append(button);
  });
}
document.addEventListener("click", (event) => {
  const button = event.target.closest("button.sort");
  if (!button) return;
  const head = button.closest("th");
  sortTable(head, head.getAttribute("aria-sort") === "ascending");
  head.closest("table").dispatchEvent(new Event("sorted"));
});
const open = new Set();
addEventListener("beforeprint", () => {
  for (const item of document.querySelectorAll("details.print:not([open])")) {
    item.open = true;
    open.add(item);
  }
});
addEventListener("afterprint", () => {
  for (const item of open) item.open = false;
  open.clear();
});
