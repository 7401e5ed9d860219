"use strict";
// Sort a table by a column: best first on the first click, reversed on the second. Cells without a
// value stay last.
for (const button of document.querySelectorAll("th button.sort")) {
  button.addEventListener("click", () => {
    const head = button.closest("th");
    const body = head.closest("table").tBodies[0];
    const column = head.cellIndex;
    const descending = head.getAttribute("aria-sort") === "ascending";
    const rows = [...body.rows];
    const value = (row) => row.cells[column].dataset.sort;
    const compare = (a, b) => {
      const x = value(a), y = value(b);
      if (x === undefined || y === undefined) return (x === undefined) - (y === undefined);
      const byName = head.dataset.type === "text";
      const order = byName ? x.localeCompare(y) : Number(x) - Number(y);
      return descending ? -order : order;
    };
    for (const other of head.parentElement.cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", descending ? "descending" : "ascending");
    body.append(...rows.sort(compare));
  });
}
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
